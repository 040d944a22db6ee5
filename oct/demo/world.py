"""The world of the demonstration: a concentrator in a folder of its own, and everybody around it, on 127.0.0.1.

Everything is real but the people: keys and certificates of three levels, SMTP on free ports, the database, the
program itself. Practitioners, insured persons and insurers are invented; the keys protect nothing.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from oct.bootstrap import open_workshop
from oct.clock import paris, system_clock, utc
from oct.crypto.atrest import create_master_key
from oct.crypto.authority import TestAuthority
from oct.crypto.certificates import fingerprint
from oct.crypto.keystore import private_pem
from oct.crypto.private_files import write_key, write_private
from oct.formats.layouts import Layouts
from oct.programs import embedded
from oct.settings import Settings, load
from oct.settings.data_files import built_in
from oct.simulators.answers import Answers
from oct.simulators.insurer import Insurer
from oct.simulators.parties import Amc, Caisse, Network, Sender
from oct.simulators.practitioner import Mailbox, PractitionerSoftware
from oct.simulators.traffic import Claims
from oct.store import certificates, insurers, practitioners
from oct.store.certificates import CertificateRole, NewCertificate
from oct.store.schema import upgrade
from oct.trace.heads import create_key

CONCENTRATOR = "oct@concentrateur.example"
ISSUER = "dloi@emetteur.example"
NUMBER = "552100554"
SEED = 20261121
_PATIENCE_S = 30.0

DOCTOR = Sender("421234567", "ER", "CABINET MEDICAL DU PONT")
NURSE = Sender("015432109", "IF", "CABINET INFIRMIER DU PARC")
PHARMACY = Sender("512223334", "PH", "PHARMACIE DE LA GARE")
PHYSIO = Sender("472000111", "MK", "KINE AGENAIS")
LABORATORY = Sender("750009998", "LB", "LABO BIO CENTRE")
SENDERS = (DOCTOR, NURSE, PHARMACY, PHYSIO, LABORATORY)

LOIRE = Caisse("01", "422", "0000", "422", "016")
AIN = Caisse("01", "011", "0000", "011", "016")
MSA = Caisse("02", "475", "0000", "471", "470", "MA")
UNLISTED = Caisse("01", "511", "0000", "511", "086")
ALPHA = Amc("0099999991", "MA", "349")
BETA = Amc("0088888882", "MB", "512")

LABELS: dict[Caisse | Amc, str] = {
    LOIRE: "CPAM SAINT-ETIENNE",
    AIN: "CPAM BOURG-EN-BRESSE",
    MSA: "MSA AGEN",
    UNLISTED: "CPAM REIMS",
    ALPHA: "MUTUELLE ALPHA",
    BETA: "MUTUELLE BETA",
}


def address_of(party: Caisse | Amc) -> str:
    """The mailbox of an insurer, as the field spells it."""
    if isinstance(party, Amc):
        route = party.route.lower()
        return f"{route}{party.host}@{party.host}.{route}.rss.fr"
    return f"{party.regime}{party.organism}@{party.organism}.{party.regime}.rss.fr"


def mailbox_of(sender: Sender) -> str:
    """The mailbox of a practitioner."""
    return f"ps{sender.number}@boite.example"


class World:
    """Enter it to have everything running, leave it to have nothing left running."""

    def __init__(self, directory: Path, prepare: Callable[[], None]) -> None:
        self.directory = directory
        self._prepare = prepare
        self._authority = TestAuthority.create(utc(system_clock()) - timedelta(days=1))
        self._own = self._authority.issue(CONCENTRATOR)
        self._keys = {address_of(party): self._authority.issue(address_of(party)) for party in LABELS}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._enter()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def software(self, sender: Sender) -> PractitionerSoftware:
        """The software of a practitioner."""
        return self._software[sender.number]

    def until(self, happened: Callable[[], bool]) -> bool:
        """Waits for something that must happen; False when it did not in time."""
        end = time.monotonic() + _PATIENCE_S
        while not happened():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def list_caisse(self, caisse: Caisse) -> None:
        """The operator adds a caisse to the directory."""
        with self.workshop.store.begin() as conn:
            self._add_caisse(conn, caisse)

    def _enter(self) -> None:
        layouts = Layouts.from_toml(built_in("layouts.toml"))
        self.insurer = self._stack.enter_context(Insurer(self._keys, layouts=layouts, clock=system_clock))
        self.mailbox = self._stack.enter_context(Mailbox([mailbox_of(sender) for sender in SENDERS]))
        settings = self._found()
        self.workshop = open_workshop(settings)
        self._register()
        self.door, self.pop, self.web = self._run(settings)
        certificate = self._own.certificate
        self._software = {
            sender.number: PractitionerSoftware(
                sender,
                mailbox_of(sender),
                concentrator=CONCENTRATOR,
                certificate=certificate,
                door=self.door,
                clock=system_clock,
            )
            for sender in SENDERS
        }
        self.answers = Answers(
            self.door,
            layouts=layouts,
            entities=self.workshop.entities,
            clock=system_clock,
            certificate=certificate,
        )
        network = Network(NUMBER.zfill(14), (LOIRE, AIN, MSA), (ALPHA, BETA))
        self.claims = Claims(layouts, random.Random(SEED), network, paris(system_clock()).date())

    def _found(self) -> Settings:
        """The folder of the concentrator: keys, configuration, database."""
        keys = self.directory / "keys"
        (keys / "master").mkdir(parents=True)
        write_private(keys / "oct.key", private_pem(self._own.private_key))
        (keys / "oct.pem").write_bytes(self._own.certificate.public_bytes(Encoding.PEM))
        create_master_key(keys / "master" / "demo.master")
        (keys / "pseudonymes").mkdir()
        write_key(keys / "pseudonymes" / "demo.pseudonyme")
        (keys / "journal").mkdir()
        create_key(keys / "journal", "demo")
        config = self.directory / "oct.toml"
        config.write_text(
            _CONFIGURATION.format(
                number=NUMBER,
                address=CONCENTRATOR,
                issuer=ISSUER,
                mailboxes=_place(self.mailbox.address),
                insurers=_place(self.insurer.address),
            ),
            encoding="utf-8",
        )
        settings = load(config, {}).settings
        upgrade(settings.store.url)
        return settings

    def _register(self) -> None:
        now = system_clock()
        with self.workshop.store.begin() as conn:
            for sender in SENDERS:
                practitioners.add(
                    conn, number=sender.number, type=sender.type, name=sender.name, address=mailbox_of(sender), now=now
                )
            for caisse in (LOIRE, AIN, MSA):
                self._add_caisse(conn, caisse)
            for amc in (ALPHA, BETA):
                insurers.upsert_amc(
                    conn,
                    number=amc.number,
                    label=LABELS[amc],
                    address=address_of(amc),
                    route=amc.route,
                    host=amc.host,
                )
            for authority in self._authority.certificates:
                certificates.add(conn, _listed(authority, CertificateRole.AUTHORITY, ""), now)
            for address, key in self._keys.items():
                certificates.add(conn, _listed(key.certificate, CertificateRole.ENTITY, address), now)

    def _add_caisse(self, conn: Connection, caisse: Caisse) -> None:
        insurer_id = insurers.upsert_amo(
            conn,
            regime=caisse.regime,
            organism=caisse.organism,
            centre=caisse.computer_centre,
            label=LABELS[caisse],
            address=address_of(caisse),
            recipient_type=caisse.type,
        )
        insurers.map_caisse(conn, caisse.regime, caisse.caisse, caisse.centre, LABELS[caisse], insurer_id)

    def _run(self, settings: Settings) -> list[tuple[str, int]]:
        """Starts the program on an event loop of its own; where its doors for SMTP, POP and the web
        are."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="concentrateur")
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(loop.call_soon_threadsafe, loop.stop)
        program = embedded(settings, self.workshop, self._prepare)
        asyncio.run_coroutine_threadsafe(program.start(), loop).result()
        self._stack.callback(lambda: asyncio.run_coroutine_threadsafe(program.stop(), loop).result())
        return [("127.0.0.1", ports[0]) for ports in (program.ports, program.pop_ports, program.web_ports)]


_CONFIGURATION = """\
# Écrit par « oct demo » : un concentrateur d'essai, seul sur cette machine.
[oct]
number = "{number}"
address = "{address}"
name = "Concentrateur de démonstration"

[smtp]
listen = ["127.0.0.1:0"]

[pop]
listen = ["127.0.0.1:0"]
clear_networks = ["127.0.0.0/8"]

[web]
listen = ["127.0.0.1:0"]

[dloi]
issuer = "{issuer}"

[watch]
silence = "6s"
manual = "1h"

[delivery]
relay = "{mailboxes}"
routes = {{ "rss.fr" = "{insurers}" }}
retry = ["1s", "2s", "5s"]

[worker]
sweep = "1s"
"""


def _place(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def _listed(certificate: x509.Certificate, role: CertificateRole, address: str) -> NewCertificate:
    return NewCertificate(
        fingerprint=fingerprint(certificate),
        role=role,
        address=address,
        der=certificate.public_bytes(Encoding.DER),
        serial=f"{certificate.serial_number:x}",
        subject=certificate.subject.rfc4514_string(),
        not_before=int(certificate.not_valid_before_utc.timestamp() * 1000),
        not_after=int(certificate.not_valid_after_utc.timestamp() * 1000),
    )
