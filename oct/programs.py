"""What one process runs: the whole concentrator (`embedded`), or one role of it on a PostgreSQL that it shares.

A program has doors, where others connect, and parts behind them, which are threads. Parts start first and stop last:
a door never takes what nobody writes down. Each function below is one role; what a role rings, or is rung by, is
handed in, so that this file knows no broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from oct.bootstrap import (
    door,
    hosted,
    open_logbook,
    open_sealer,
    open_workshop,
    pop_door,
    publishing,
    retention_limits,
    runner,
    web_door,
)
from oct.errors import ConfigurationError, os_reason
from oct.openers import Openers, as_it_is
from oct.pop.server import PopServer
from oct.settings import Settings
from oct.smtp.door import Door
from oct.steps.gather import gather
from oct.steps.mailbox import HostedMailboxes
from oct.steps.purge import purge
from oct.steps.receive import Receiver
from oct.steps.refusals import Refusals
from oct.steps.runner import Lookout
from oct.steps.sweep import sweep
from oct.steps.watch import watch
from oct.steps.workshop import Workshop

if TYPE_CHECKING:
    from oct.web.server import WebServer

EMBEDDED = "embarque"
"""The name of the whole concentrator in one process."""
LONGEST_LOOK_MS = 30_000
"""What nobody rang for is found after this at the latest (P2)."""
SEAL_MS = 30_000
"""How often events are sealed: they are under a signed head within 60 s (T1)."""
PURGE_MS = 3_600_000
"""How often it is looked for what was kept for long enough (T3)."""
_GRACE_S = 8.0
"""What a clean stop leaves to open transactions (P5: 10 s in all)."""

Ring = Callable[[Sequence[int]], None]
"""Told which messages wait. Neither waits nor fails."""


class Part(Protocol):
    """Something that works on threads of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Program:
    """One process: `start`, then `stop`, on one event loop."""

    def __init__(
        self,
        workshop: Workshop,
        behind: Sequence[Part],
        *,
        smtp: Door | None = None,
        pop: PopServer | None = None,
        web: WebServer | None = None,
        listen: Sequence[str] = (),
    ) -> None:
        self._workshop = workshop
        self._behind = behind
        self._listen = listen
        self._smtp = smtp
        self._pop = pop
        self._web = web
        self._doors = [one for one in (pop, smtp, web) if one is not None]

    @property
    def ports(self) -> list[int]:
        """The ports that the SMTP door listens on."""
        return self._smtp.ports if self._smtp is not None else []

    @property
    def pop_ports(self) -> list[int]:
        """The ports that the hosted mailboxes' door listens on."""
        return self._pop.ports if self._pop is not None else []

    @property
    def web_ports(self) -> list[int]:
        """The ports that the console listens on."""
        return self._web.ports if self._web is not None else []

    async def start(self) -> None:
        """Opens the doors last, when everything behind them runs. ConfigurationError when a port cannot be had."""
        for part in self._behind:
            await asyncio.to_thread(part.start)
        opened: list[Door | PopServer | WebServer] = []
        try:
            for one in self._doors:
                await one.start()
                opened.append(one)
        except OSError as error:
            await asyncio.gather(*(one.stop(0) for one in opened))
            await self._stop_behind()
            raise ConfigurationError(
                "ecoute-impossible", f"Écoute impossible sur {', '.join(self._listen)} : {os_reason(error)}."
            ) from None

    async def stop(self) -> None:
        """Answers every open transaction, ends the work in hand, closes the database (P5)."""
        await asyncio.gather(*(one.stop(_GRACE_S) for one in self._doors))
        await self._stop_behind()

    async def _stop_behind(self) -> None:
        for part in reversed(self._behind):
            await asyncio.to_thread(part.stop)
        self._workshop.store.close()


def check_start(settings: Settings) -> None:
    """Stumbles over whatever `oct run` would before it listens: data files, keys, database, TLS."""
    workshop = open_workshop(settings)
    try:
        embedded(settings, workshop)
    finally:
        workshop.store.close()


def embedded(settings: Settings, workshop: Workshop, prepare: Callable[[], None] = as_it_is) -> Program:
    """Everything, in one process but for those that open messages; `prepare` sets the log up in these."""
    hand = runner(settings, workshop, EMBEDDED, processors=0, senders=settings.worker.senders)
    openers = Openers(settings, workshop, EMBEDDED, hand.outgoing.ring, prepare)
    lookout = Lookout(_looks(workshop), settings.worker.sweep, hand.outgoing.ring)
    mailboxes = hosted(workshop, EMBEDDED)
    receiver, refusals = Receiver(workshop, lambda _: openers.ring()), Refusals(workshop)
    return Program(
        workshop,
        [*_proofs(settings, workshop), hand, openers, lookout, _Locks(mailboxes), refusals, receiver],
        smtp=door(settings, workshop, receiver.accept, refusals.note),
        pop=pop_door(settings, mailboxes),
        web=web_door(settings, workshop) if settings.web.listen else None,
        listen=(*settings.pop.listen, *settings.smtp.listen, *settings.web.listen),
    )


def front_door(settings: Settings, workshop: Workshop, ring: Ring, bells: Sequence[Part]) -> Program:
    """Role smtp: takes messages and writes them down; `bells` are what `ring` needs running."""
    receiver, refusals = Receiver(workshop, ring), Refusals(workshop)
    smtp = door(settings, workshop, receiver.accept, refusals.note)
    return Program(workshop, [*bells, refusals, receiver], smtp=smtp, listen=settings.smtp.listen)


def hosted_mailboxes(settings: Settings, workshop: Workshop, name: str) -> Program:
    """Role pop: the hosted mailboxes' door. ConfigurationError when the settings give it no address to listen on."""
    if not settings.pop.listen:
        raise ConfigurationError("pop-sans-adresse", "Aucune adresse d'écoute pour POP3 : donnez [pop] listen.")
    mailboxes = hosted(workshop, name)
    return Program(workshop, [_Locks(mailboxes)], pop=pop_door(settings, mailboxes), listen=settings.pop.listen)


def console(settings: Settings, workshop: Workshop) -> Program:
    """Role web: the console and the API. ConfigurationError when the settings give it no address to listen on."""
    if not settings.web.listen:
        raise ConfigurationError("web-sans-adresse", "Aucune adresse d'écoute pour la console : donnez [web] listen.")
    return Program(workshop, [], web=web_door(settings, workshop), listen=settings.web.listen)


def worker(settings: Settings, workshop: Workshop, name: str, prepare: Callable[[], None]) -> Program:
    """Role worker without a broker: looks for what is due by itself."""
    hand = runner(settings, workshop, name, processors=0, senders=settings.worker.senders)
    return Program(workshop, [hand, Openers(settings, workshop, name, hand.outgoing.ring, prepare)])


def beat(settings: Settings, workshop: Workshop, looks: Sequence[Callable[[], int]], bells: Sequence[Part]) -> Program:
    """Role beat: what is nobody's work, with `looks` of a broker that need `bells` running."""
    interval = min(settings.worker.sweep, LONGEST_LOOK_MS)
    proofs = _proofs(settings, workshop)
    return Program(workshop, [*bells, *proofs, Lookout([*_looks(workshop), *looks], interval, lambda: None)])


def _proofs(settings: Settings, workshop: Workshop) -> list[Lookout]:
    """What keeps the trace. Sealing is on a thread of its own: neither a long sweep nor an authority that is slow must
    make the heads late. What stopped last is sealed at the end."""
    proofs = [open_sealer(settings, workshop).run, open_logbook(settings, workshop).run]
    seals = Lookout(proofs, SEAL_MS, lambda: None, once_more=True)
    purges = partial(purge, workshop.store, workshop.clock, retention_limits(settings))
    return [
        seals,
        Lookout(publishing(settings, workshop), SEAL_MS, lambda: None),
        Lookout([purges], PURGE_MS, lambda: None),
    ]


def _looks(workshop: Workshop) -> tuple[Callable[[], int], ...]:
    return partial(gather, workshop), partial(sweep, workshop), partial(watch, workshop)


@dataclass(frozen=True, slots=True)
class _Locks:
    """The locks of a predecessor that died, taken back before the POP3 door opens."""

    mailboxes: HostedMailboxes

    def start(self) -> None:
        self.mailboxes.take_back()

    def stop(self) -> None:
        """The server has given back its own."""
