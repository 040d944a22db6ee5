"""`oct simulate`: a practitioner's software or the insurers' front end by themselves, for trials.

Both take who they are from the register, and their keys from the trial authority of `oct init --test`; insurers that
have no certificate yet are given one, which is enrolled. They run until SIGTERM or SIGINT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oct.cli.opening import ConfigOption, Desk, at_desk
from oct.cli.usage import Noun
from oct.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from oct.crypto.keystore import OwnKey
    from oct.simulators.parties import Network

app = Noun("Les simulateurs : un logiciel de PS, des assureurs. Pour les essais seulement.")

Door = Annotated[
    str,
    typer.Option(
        "--door", metavar="HOTE:PORT", help="Porte du concentrateur (sinon sa première écoute).", show_default=False
    ),
]
ListenOption = Annotated[
    str, typer.Option("--listen", metavar="HOTE:PORT", help="Où recevoir ; port 0 : au choix du système.")
]

_PAIRS = "assureurs"


@app.command()
def insurer(
    answers: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="GENRE", help="Ce qui est répondu à chaque fichier : arl, rsp."),
    ] = None,
    listen: ListenOption = "127.0.0.1:2600",
    door: Door = "",
    config: ConfigOption = None,
) -> None:
    """Joue tous les assureurs de l'annuaire.

    « relay » ou « routes » de [delivery] doit mener ici.
    """
    from oct.clock import system_clock
    from oct.formats.entities import Entities
    from oct.settings.data_files import data_file, record_layouts
    from oct.simulators.answers import Answers
    from oct.simulators.insurer import Insurer
    from oct.simulators.programs import Answer, run_insurer, stop_on_signals

    unknown = set(answers or ()) - {kind.value for kind in Answer}
    if unknown:
        raise ConfigurationError("reponse-inconnue", f"--answer : {', '.join(sorted(unknown))} ; au choix : arl, rsp.")
    with at_desk(config) as desk:
        keys = _insurers_keys(desk)
        formats = desk.settings.formats
        layouts = record_layouts(formats.layouts)
        entities = Entities.from_toml(data_file(formats.noemie, "noemie.toml"))
        concentrator = _own_certificate(desk)
        place = _door(desk, door)
    host, port = _place(listen)
    front = Insurer(keys, layouts=layouts, clock=system_clock, host=host, port=port)
    replies = Answers(place, layouts=layouts, entities=entities, clock=system_clock, certificate=concentrator)
    run_insurer(front, replies, frozenset(Answer(kind) for kind in answers or ()), stop_on_signals(), _report)


@app.command()
def ps(
    number: Annotated[str, typer.Argument(metavar="NUMERO", help="Un PS du registre.")],
    files: Annotated[int, typer.Option("--files", min=0, help="Fichiers uniques à envoyer.")] = 1,
    every: Annotated[float, typer.Option("--every", min=0, help="Secondes entre deux fichiers.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Graine du tirage : la même donne les mêmes factures.")] = 1,
    listen: ListenOption = "127.0.0.1:2700",
    door: Door = "",
    config: ConfigOption = None,
) -> None:
    """Joue le logiciel d'un PS.

    Il envoie des fichiers, puis dit ce qui arrive dans sa boîte.
    """
    import random

    from oct.cli.ps import account_of
    from oct.clock import paris, system_clock
    from oct.settings.data_files import record_layouts
    from oct.simulators.parties import Sender
    from oct.simulators.practitioner import Mailbox, PractitionerSoftware
    from oct.simulators.programs import Sending, run_practitioner, stop_on_signals
    from oct.simulators.traffic import Claims

    with at_desk(config) as desk:
        with desk.store.read() as conn:
            account = account_of(conn, number)
        network = _network(desk)
        layouts = record_layouts(desk.settings.formats.layouts)
        software = PractitionerSoftware(
            Sender(account.number, account.type, account.name),
            account.address,
            concentrator=desk.settings.oct.address,
            certificate=_own_certificate(desk),
            door=_door(desk, door),
            clock=system_clock,
        )
        claims = Claims(layouts, random.Random(seed), network, paris(desk.now).date())  # noqa: S311 - invented traffic
    host, port = _place(listen)
    mailbox = Mailbox([account.address], host=host, port=port)
    run_practitioner(software, claims, mailbox, Sending(files, every), stop_on_signals(), _report)


def _report(line: str) -> None:
    print(line, flush=True)


def _own_certificate(desk: Desk) -> Certificate:
    """The one that practitioners and insurers would have."""
    from oct.clock import utc
    from oct.crypto.keystore import KeyRing

    keys = desk.settings.keys
    return KeyRing.load(keys.directory, keys.passphrase.encode() or None).current(utc(desk.now)).certificate


def _insurers_keys(desk: Desk) -> dict[str, OwnKey]:
    """A pair for every address of the directory: those of former runs, and new ones for the others."""
    from dataclasses import replace

    from oct.cli.init import TRIAL
    from oct.crypto.certificates import addresses_of
    from oct.crypto.keystore import KeyRing
    from oct.crypto.pair_files import read_authority, write_pair
    from oct.steps.register.enrol import OwnPlace, enrol
    from oct.store import insurers

    trial = desk.settings.keys.directory.parent / TRIAL
    authority = read_authority(trial)
    folder = trial / _PAIRS
    folder.mkdir(mode=0o700, exist_ok=True)
    known = (
        {addresses_of(pair.certificate)[0]: pair for pair in KeyRing.load(folder).keys}
        if any(folder.glob("*.key"))
        else {}
    )
    with desk.store.read() as conn:
        missing = {one.address: one.id for one in insurers.list_all(conn) if one.address not in known}
    for address, insurer_id in missing.items():
        pair = replace(authority.issue(address), name=f"assureur-{insurer_id}")
        write_pair(folder, pair)
        known[address] = pair
    given = [(path.name, path.read_bytes()) for path in sorted(folder.glob("*.pem"))]
    own = OwnPlace(desk.settings.oct.address, desk.settings.keys.directory, None)
    enrol(desk.store, given, own, now=desk.now, actor=desk.actor)
    return known


def _network(desk: Desk) -> Network:
    from oct.domain.model import InsurerKind
    from oct.simulators.parties import Amc, Caisse, Network
    from oct.store import insurers

    with desk.store.read() as conn:
        directory = insurers.load_directory(conn)
    caisses = tuple(
        Caisse(*key, organism=led.organism, computer_centre=led.centre, type=led.recipient_type)
        for key, led_to in sorted(directory.caisses.items())
        if (led := directory.insurers[led_to]).enabled
    )
    amcs = tuple(
        Amc(one.number, one.route, one.host)
        for one in directory.insurers.values()
        if one.kind is InsurerKind.AMC and one.enabled
    )
    if not caisses or not amcs:
        raise ConfigurationError("annuaire-vide", "L'annuaire est vide : « oct insurers import » d'abord.")
    return Network(desk.settings.oct.number.zfill(14), caisses, amcs)


def _door(desk: Desk, given: str) -> tuple[str, int]:
    return _place(given or desk.settings.smtp.listen[0])


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError("adresse-incorrecte", f"« {text} » : hôte:port attendu.")
    return host.strip("[]"), int(port)
