"""The only place that wires settings, store, keys and steps together.

`open_workshop` gives what every step and every command works with; `door`, `hosted`, `pop_door`, `web_door` and
`runner` are the parts that processes are made of (`oct.programs`). Faults of the environment are ConfigurationErrors of
one line that say what to do.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import ssl
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm

from oct.clock import Clock, system_clock
from oct.crypto.atrest import Vault, load_master_keys
from oct.crypto.keystore import KeyRing
from oct.crypto.pseudonyms import load_pseudonyms
from oct.crypto.revocation import RevocationPolicy
from oct.domain.conventions import check_conventions
from oct.domain.duplicates import Policy
from oct.envelope.opening import Opener
from oct.errors import ConfigurationError
from oct.formats.entities import Entities
from oct.formats.mime_headers import MessageLimits
from oct.formats.profiles import Profiles
from oct.pop.desk import PopLimits
from oct.pop.server import PopServer
from oct.settings import Settings
from oct.settings.data_files import data_file, record_layouts
from oct.settings.sections import DoorSection
from oct.smtp import replies
from oct.smtp.client import Connection, Route, TlsPolicy
from oct.smtp.door import Door
from oct.smtp.mx import mx_routes
from oct.smtp.tls import server_context, unverified_context, verifying_context
from oct.smtp.transaction import DoorLimits, Reply, Transaction
from oct.steps.alerts.door import door_alerts
from oct.steps.alerts.trace import upkeep_alerts
from oct.steps.journal.logbook import Logbook
from oct.steps.journal.publish import HeadMail, HeadStamps
from oct.steps.journal.recovery import find as find_gap
from oct.steps.journal.seal import Sealer
from oct.steps.keeping.purge import Limits
from oct.steps.mailbox import HostedMailboxes
from oct.steps.register.sign_in import SignIn, SignInRules
from oct.steps.register.turned_away import TurnedAway
from oct.steps.work.couriers import Couriers, Round
from oct.steps.work.crew import Connect
from oct.steps.work.runner import Pace, Runner, Within
from oct.steps.workshop import QuarantineBounds, Rules, Workshop
from oct.store.engine import Store, open_store
from oct.store.names import holding
from oct.store.numbering import Numbering, trace_number
from oct.store.registry import Registry
from oct.store.schema import check_schema
from oct.store.space import is_short
from oct.trace.heads import Signer, load_signer

if TYPE_CHECKING:
    from oct.web.server import WebServer

_EXCHANGERS = partial(mx_routes, draw=SystemRandom().random)
_SQLITE = "sqlite:///"
_SHARES = {"sqlite": 16, "postgresql": 4}
"""Batches that a claim takes for all couriers: many where each waits for the one writer's turn, and no other process
sends; few where another worker could send what this one keeps waiting."""
_PREDECESSOR_S = 3.0
"""How long the end of a process of the same name is awaited: the server may notice a killed one a moment later."""


def open_vault(settings: Settings) -> Vault:
    """The master keys that protect payloads at rest; the last one by name seals."""
    masters = load_master_keys(settings.keys.master)
    if not masters:
        raise ConfigurationError(
            "cle-maitresse-absente", f"Aucune clé maîtresse dans {settings.keys.master} : « oct init » en crée une."
        )
    return Vault(masters, max(masters))


def check_not_restored(settings: Settings, store: Store) -> None:
    """ConfigurationError when the database is older than what was published of it: it would send again (T5)."""
    gap = find_gap(store, settings.journal.heads)
    if gap is not None:
        raise ConfigurationError(
            "base-restauree",
            f"La base a {gap.first} événements scellés, {gap.published.size} ont été publiés : c'est une copie "
            "antérieure, restaurée. « oct recover » dit ce qui manque et retient ce qui a pu partir.",
        )


def open_sealer(settings: Settings, workshop: Workshop) -> Sealer:
    """What puts the events under signed heads."""
    return Sealer(workshop.store, _signer(settings), settings.journal.heads, workshop.clock)


def open_logbook(settings: Settings, workshop: Workshop) -> Logbook:
    """What tells outside the database what was accepted and handed over."""
    return Logbook(workshop.store, settings.journal.logbook)


def publishing(settings: Settings, workshop: Workshop) -> list[Callable[[], int]]:
    """The ways by which heads leave besides the file, as far as the settings ask for them."""
    given = settings.journal
    ways: list[Callable[[], int]] = []
    if given.mail:
        ways.append(HeadMail(workshop, given.mail, given.mail_every).run)
    if given.timestamp_url:
        ways.append(HeadStamps(workshop, given.timestamp_url, given.timestamp_every).run)
    return ways


def retention_limits(settings: Settings) -> Limits:
    """How long things are kept."""
    given = settings.retention
    return Limits(given.payloads, given.unanswered, given.access, given.journal)


def _signer(settings: Settings) -> Signer:
    directory = settings.journal.keys
    try:
        signer = load_signer(directory)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(
            "cle-journal-illisible", f"La dernière clé de {directory} ne peut pas être lue : Ed25519, PEM, sans phrase."
        ) from None
    if signer is None:
        raise ConfigurationError(
            "cle-journal-absente", f"Aucune clé de journal dans {directory} : « oct init » en crée une."
        )
    return signer


def open_checked_store(settings: Settings) -> Store:
    """The database, at the schema that this program needs."""
    store = open_store(settings.store.url, pool_size=settings.store.pool_size)
    check_schema(store.engine)
    return store


def open_workshop(
    settings: Settings, *, clock: Clock = system_clock, chance: Callable[[int], bytes] = os.urandom
) -> Workshop:
    """Everything the steps need, from the settings. Opens the database and loads the keys once."""
    formats = settings.formats
    layouts = record_layouts(formats.layouts)
    check_conventions(settings.conventions, layouts)
    store = open_checked_store(settings)
    certificates = settings.certificates
    keys = KeyRing.load(settings.keys.directory, settings.keys.passphrase.encode() or None)
    return Workshop(
        store=store,
        vault=open_vault(settings),
        pseudonyms=load_pseudonyms(settings.keys.pseudonyms),
        clock=clock,
        chance=chance,
        numbering=Numbering(store, clock),
        registry=Registry(RevocationPolicy(certificates.revocation), timedelta(milliseconds=certificates.grace)),
        opener=Opener(keys, MessageLimits(), settings.opening.max_file),
        layouts=layouts,
        profiles=Profiles.from_toml(data_file(formats.profiles, "profiles.toml")),
        entities=Entities.from_toml(data_file(formats.noemie, "noemie.toml")),
        conventions=settings.conventions,
        rules=Rules(
            name=settings.oct.name,
            number=settings.oct.number.zfill(14),
            address=settings.oct.address,
            accept_clear=settings.clear.accept,
            tries=settings.opening.tries,
            retry=settings.delivery.retry,
            expire=settings.delivery.expire,
            silence=settings.watch.silence,
            manual=settings.watch.manual,
            reemission=Policy(settings.reemission.policy),
            grouping=settings.grouping.window,
            dloi_issuer=settings.dloi.issuer.lower(),
            insurer_networks=settings.smtp.insurer_networks,
            quarantine=QuarantineBounds(**settings.quarantine.model_dump()),
            undecipherable=settings.opening.undecipherable,
        ),
    )


def connector(settings: Settings, exchangers: Callable[[str, TlsPolicy], list[Route]] = _EXCHANGERS) -> Connect:
    """How to reach a recipient: the route of its domain, else the relay, else the domain's mail exchangers."""
    delivery = settings.delivery
    policy = TlsPolicy(delivery.tls)
    # the machine's authorities take 30 ms to read
    tls = verifying_context() if policy is TlsPolicy.REQUIRED else unverified_context()

    async def connect(recipient: str, avoided: Container[Route]) -> Connection:
        domain = recipient.rpartition("@")[2].rstrip(".").lower()
        server = _routed(domain, delivery.routes) or delivery.relay
        routes = [_route(server, policy)] if server else await asyncio.to_thread(exchangers, domain, policy)
        route = next((one for one in routes if one not in avoided), routes[0])
        return Connection(route, helo=settings.oct.hostname, tls=tls, timeout_seconds=delivery.timeout / 1000)

    return connect


def _routed(domain: str, routes: Mapping[str, str]) -> str:
    """The server of a domain: that of the longest suffix that the settings name."""
    labels = domain.split(".")
    suffixes = (".".join(labels[first:]) for first in range(len(labels)))
    return next((routes[suffix] for suffix in suffixes if suffix in routes), "")


def _route(server: str, policy: TlsPolicy) -> Route:
    host, _, port = server.rpartition(":")
    return Route(host.strip("[]"), int(port), policy)


@contextmanager
def alone(settings: Settings, name: str) -> Iterator[None]:
    """Keeps a second program off the same SQLite database, or a second process of the same name off the same
    PostgreSQL, for as long as the block runs."""
    url = settings.store.url
    if not url.startswith(_SQLITE):
        with holding(url, name, _PREDECESSOR_S) as held:
            if not held:
                raise ConfigurationError(
                    "deja-lance", f"Un processus « {name} » tourne déjà sur cette base : donnez-lui un autre --name."
                )
            yield
        return
    path = Path(url.removeprefix(_SQLITE)).with_suffix(".lock")
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                "deja-lance", f"Un concentrateur tourne déjà sur cette base ({path.with_suffix('.db')})."
            ) from None
        yield


def runner(
    settings: Settings, workshop: Workshop, name: str, *, ready: Callable[[], None], within: Within = nullcontext
) -> Runner:
    """Who opens messages, under leases that bear its name; `ready` is told that there may be something to send, and
    what is opened is opened `within` a time."""
    worker = settings.worker
    pace = Pace(batch=worker.batch, lease=worker.lease, look=worker.sweep)
    return Runner(workshop, pace, f"{name}/", ready, within)


def couriers(settings: Settings, workshop: Workshop, name: str) -> Couriers:
    """Who sends, under leases that bear its name."""
    worker, delivery = settings.worker, settings.delivery
    pace = Round(
        senders=worker.senders,
        batch=worker.batch,
        shares=_SHARES[workshop.store.dialect],
        lease=worker.lease,
        look=worker.sweep,
        one_relay=bool(delivery.relay) and not delivery.routes,
    )
    return Couriers(workshop, connector(settings), pace, f"{name}/")


def door(
    settings: Settings,
    workshop: Workshop,
    accept: Callable[[Transaction], Awaitable[Reply]],
    refused: Callable[[str, Reply], None],
) -> Door:
    """The SMTP door, which hands what it takes to `accept`, and tells `refused` of what it does not take."""
    smtp = settings.smtp

    async def knows_recipient(address: str) -> bool:
        return address.lower() == settings.oct.address.lower()

    return Door(
        smtp.listen,
        hostname=settings.oct.hostname,
        limits=DoorLimits(
            connections=smtp.max_connections,
            connections_per_address=smtp.max_connections_per_address,
            recipients=smtp.max_recipients,
            message_bytes=smtp.max_message,
            memory_bytes=smtp.max_memory,
            idle_seconds=smtp.idle / 1000,
            data_seconds=smtp.data / 1000,
        ),
        accept=accept,
        knows_recipient=knows_recipient,
        screen_sender=_screen(settings),
        trace_number=lambda: trace_number(workshop.clock(), workshop.chance),
        refused=refused,
        tls=_tls(smtp),
    )


def hosted(workshop: Workshop, name: str) -> HostedMailboxes:
    """The hosted mailboxes, whose locks bear the name of this process."""
    return HostedMailboxes(workshop.store, workshop.vault, workshop.clock, workshop.chance, f"{name}/")


def pop_door(settings: Settings, mailboxes: HostedMailboxes) -> PopServer:
    """The POP3 door of the hosted mailboxes."""
    pop = settings.pop
    return PopServer(
        pop.listen,
        hostname=settings.oct.hostname,
        mailboxes=mailboxes.callables(),
        tls=_tls(pop) or _tls(settings.smtp),
        clear_networks=pop.clear_networks,
        limits=PopLimits(
            connections=pop.max_connections,
            connections_per_address=pop.max_connections_per_address,
            idle_seconds=pop.idle / 1000,
        ),
    )


def standing_alerts(settings: Settings, store: Store, now: int) -> list[str]:
    """What needs a person besides the traffic: the trace itself, the door, the disk (K1)."""
    return [
        *upkeep_alerts(store, settings.journal.heads, retention_limits(settings), now),
        *door_alerts(store, settings.store.url, settings.store.min_free, now),
    ]


def web_door(settings: Settings, workshop: Workshop, turned_away: TurnedAway) -> WebServer:
    """The console and the API; `turned_away` is told of whom they do not let in. The room is imported here: only the
    process that serves it has its libraries to load."""
    from oct.web.app import create_app
    from oct.web.desk import Desk, WebRules
    from oct.web.server import WebServer

    web = settings.web
    sign_in = SignIn(
        workshop.store,
        workshop.vault,
        workshop.clock,
        workshop.chance,
        SignInRules(idle=web.idle, longest=web.session, bound=web.bound),
    )
    rules = WebRules(hosts=_web_hosts(settings), max_request=web.max_request, probe_networks=web.probes)
    desk = Desk(
        workshop,
        sign_in,
        turned_away,
        rules,
        partial(_keys_there, settings),
        partial(standing_alerts, settings, workshop.store),
    )
    return WebServer(
        web.listen,
        create_app(desk),
        tls=_tls(web) or _tls(settings.smtp),
        proxies=[str(network) for network in web.proxies],
    )


def _web_hosts(settings: Settings) -> frozenset[str]:
    """Under which names the console answers."""
    listened = (one.removeprefix("tls://").rpartition(":")[0] for one in settings.web.listen)
    names = settings.web.hosts or (settings.oct.hostname, *listened)
    return frozenset(name.lower() for name in (*names, "localhost", "127.0.0.1", "[::1]"))


def _keys_there(settings: Settings) -> bool:
    """Whether the files of the keys are still in their places."""
    return any(settings.keys.master.glob("*.master")) and any(settings.keys.directory.glob("*.key"))


def _tls(section: DoorSection) -> ssl.SSLContext | None:
    if section.tls_certificate is None or section.tls_key is None:
        return None
    return server_context(section.tls_certificate, section.tls_key)


def _screen(settings: Settings) -> Callable[[str, str], Awaitable[Reply | None]]:
    """Nobody is taken from when the disk of the database is nearly full (P3). Who writes is judged with the headers,
    where From and the PS number stand (H6)."""

    async def screen(_mail_from: str, _peer: str) -> Reply | None:
        return replies.NO_ROOM if is_short(settings.store.url, settings.store.min_free) else None

    return screen
