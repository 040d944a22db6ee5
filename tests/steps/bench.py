"""A concentrator taken to pieces: its steps are run one by one, by hand, on a real database and a real SMTP server.

The directory, the accounts and the keys are those of the golden claims.
"""

from __future__ import annotations

import asyncio
import csv
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Select, Table, insert, select

from oct.bootstrap import connector, open_workshop
from oct.clock import system_clock
from oct.crypto.atrest import create_master_key
from oct.crypto.certificates import addresses_of, fingerprint, is_authority, read_bundle
from oct.crypto.private_files import write_key
from oct.settings import Settings, load
from oct.simulators.mail import Letter
from oct.simulators.reception import Reception
from oct.simulators.temper import Temper
from oct.smtp.transaction import Reply, Transaction
from oct.steps.receive import Receiver
from oct.steps.send import send
from oct.steps.work.couriers import Couriers, Round
from oct.steps.work.crew import Connect
from oct.steps.work.deliveries import Deliveries
from oct.steps.work.errands import Errands
from oct.steps.work.runner import Pace, Runner
from oct.steps.work.settlement import Settlement
from oct.steps.workshop import Workshop
from oct.store import certificates, events, holds, insurers, messages, practitioners, tables
from oct.store.certificates import CertificateRole, NewCertificate
from oct.store.consignments import Consignment
from oct.store.events import Event
from oct.store.holds import Hold
from oct.store.messages import Message
from oct.trace.heads import create_key

CLAIMS = Path(__file__).parents[1] / "vectors" / "claims"
PKI = CLAIMS / "pki"
OCT = "oct@concentrateur.example"
_SETTINGS = """
[oct]
number = "552100554"
address = "oct@concentrateur.example"
[smtp]
listen = ["127.0.0.1:0"]
[store]
url = "{url}"
[keys]
directory = "{home}/keys"
master = "{home}/keys/master"
pseudonyms = "{home}/keys/pseudonymes"
[journal]
keys = "{home}"
heads = "{home}/tetes.jsonl"
[delivery]
relay = "127.0.0.1:{port}"
tls = "none"
{more}
"""


class Outside:
    """Everybody's mailbox: what arrived, by recipient."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.temper = Temper()
        """How the server misbehaves, once there is one."""

    def keep(self, mail_from: str, recipients: Sequence[str], raw: bytes) -> None:
        """Called by the reception."""
        self.letters += [Letter(mail_from, recipient, raw) for recipient in recipients]

    def commit(self) -> None:
        """What is kept is kept."""

    def of(self, address: str) -> list[Letter]:
        """What arrived in one mailbox, in order."""
        return [letter for letter in self.letters if letter.rcpt_to == address]


class Hands:
    """Who opens and who sends, under names of their own."""

    def __init__(self, workshop: Workshop, connect: Connect, name: str, batch: int = 10) -> None:
        self.connect = connect
        self.runner = Runner(workshop, Pace(batch, lease=60_000, look=1_000), name, lambda: None)
        pace = Round(senders=1, batch=batch, shares=4, lease=60_000, look=1_000, one_relay=True)
        self.couriers = Couriers(workshop, connect, pace, name)


async def send_all(workshop: Workshop, claimed: Sequence[Consignment], owner: str, connect: Connect) -> None:
    """What one courier does with what it claimed."""
    settlement = Settlement(workshop)
    deliveries = Deliveries(settlement.write, lambda: 1)
    errands = Errands(workshop, claimed, owner, now=workshop.clock(), lease=60_000)
    async with await connect(claimed[0].recipient, ()) as connection:
        while (errand := errands.take()) is not None:
            await send(workshop, errand, connection.send, deliveries)
    settlement.settle()


class Bench:
    """The steps, and ways to look at what they did."""

    def __init__(self, workshop: Workshop, hands: Hands, outside: Outside) -> None:
        self.workshop = workshop
        self.outside = outside
        self.hands = hands

    def receive(self, raw: bytes, mail_from: str) -> Reply:
        """Hands a message to the door."""
        receiver = Receiver(self.workshop)
        receiver.start()
        transaction = Transaction("127.0.0.1", "essai", mail_from, (OCT,), raw, None, tls=True)
        reply = asyncio.run(receiver.accept(transaction))
        receiver.stop()
        return reply

    def work(self) -> None:
        """Brings all that was received to its end, then sends all that is ready."""
        while self.hands.runner._process_some():
            pass
        while asyncio.run(self.hands.couriers.work_off()):
            pass

    def take(self, raw: bytes, mail_from: str) -> Message:
        """Receives a message, works until nothing is left to do, and gives what it came to."""
        reply = self.receive(raw, mail_from)
        assert reply.code == 250, reply
        self.work()
        with self.workshop.store.read() as conn:
            message = messages.by_trace(conn, reply.text.rpartition(" ")[2])
        assert message is not None
        return message

    def events(self, message: Message, kind: str) -> list[Event]:
        """The events of one kind in a message's story."""
        with self.workshop.store.read() as conn:
            return [event for event in events.of_message(conn, message.id) if event.kind == kind]

    def holds(self, message: Message) -> list[Hold]:
        """The open holds of a message."""
        with self.workshop.store.read() as conn:
            return [hold for hold in holds.list_open(conn) if hold.message_id == message.id]


@contextmanager
def bench(home: Path, database_url: str, more: str = "", *, certified: bool = True) -> Iterator[Bench]:
    """A concentrator in pieces; `more` is added to its settings. Not `certified`: no insurer has a certificate."""
    with installed(home, database_url, more, certified=certified) as (settings, workshop, outside):
        yield Bench(workshop, Hands(workshop, connector(settings), "essai-"), outside)
        workshop.store.close()


@contextmanager
def installed(
    home: Path, database_url: str, more: str = "", *, certified: bool = True
) -> Iterator[tuple[Settings, Workshop, Outside]]:
    """What a concentrator starts from, and the world outside that it sends to."""
    outside = Outside()
    with Reception(outside, serves=lambda _: True) as reception:
        outside.temper = reception.temper
        _keys(home)
        (home / "oct.toml").write_text(_SETTINGS.format(url=database_url, home=home, port=reception.port, more=more))
        settings = load(home / "oct.toml", {}).settings
        workshop = open_workshop(settings)
        with workshop.store.begin() as conn:
            _register(conn, certified=certified)
        yield settings, workshop, outside


def add_certificates(conn: Connection, pattern: str, *, address: str = "") -> None:
    """Records the golden certificates whose files match, under another address when one is given."""
    now = system_clock()
    for path in PKI.glob(pattern):
        for one in read_bundle(path.read_bytes()):
            authority = is_authority(one)
            certificates.add(
                conn,
                NewCertificate(
                    fingerprint=fingerprint(one),
                    role=CertificateRole.AUTHORITY if authority else CertificateRole.ENTITY,
                    address="" if authority else address or addresses_of(one)[0],
                    der=one.public_bytes(Encoding.DER),
                    serial=f"{one.serial_number:x}",
                    subject=one.subject.rfc4514_string(),
                    not_before=int(one.not_valid_before_utc.timestamp() * 1000),
                    not_after=int(one.not_valid_after_utc.timestamp() * 1000),
                ),
                now,
            )


def _keys(home: Path) -> None:
    (home / "keys" / "master").mkdir(parents=True)
    for name in ("oct.key", "oct.pem"):
        shutil.copy(PKI / name, home / "keys")
    create_master_key(home / "keys" / "master" / "essai.master")
    (home / "keys" / "pseudonymes").mkdir()
    write_key(home / "keys" / "pseudonymes" / "essai.pseudonyme")
    create_key(home, "journal")


_FILLED: dict[bool, list[tuple[Table, list[dict[str, Any]]]]] = {}
"""What a register holds once it was filled, by whether the insurers have certificates: rows, numbered from one."""


def _register(conn: Connection, *, certified: bool) -> None:
    """Fills the register as an operator's imports do, once; later ones get the rows that this gave."""
    if certified in _FILLED:
        for table, rows in _FILLED[certified]:
            conn.execute(insert(table), rows)
        return
    there = {table for table in tables.metadata.sorted_tables if conn.execute(select(table)).first() is not None}
    _directory(conn)
    if certified:
        add_certificates(conn, "*@*.pem")
    add_certificates(conn, "chaine.pem")
    filled = [table for table in tables.metadata.sorted_tables if table not in there]
    found = [(table, [dict(row) for row in conn.execute(_unnumbered(table)).mappings()]) for table in filled]
    _FILLED[certified] = [(table, rows) for table, rows in found if rows]


def _unnumbered(table: Table) -> Select[Any]:
    """The rows of a table in their order, without the numbers that the database gives."""
    return select(*(column for column in table.c if column is not table.autoincrement_column)).order_by(
        *table.primary_key
    )


def _directory(conn: Connection) -> None:
    now = system_clock()
    for regime, _, _, label, _, organism, centre, *_ in _rows("orgdest.csv", "latin-1"):
        address = f"{regime}{organism}@{organism}.{regime}.rss.fr"
        insurers.upsert_amo(
            conn, regime=regime, organism=organism, centre=centre, label=label, address=address, recipient_type="CT"
        )
    known: dict[str, int] = {}
    for number, kind, name, address in _rows("praticiens.csv", "utf-8"):
        if address in known:
            practitioners.add_number(conn, known[address], number)
        else:
            known[address] = practitioners.add(conn, number=number, type=kind, name=name, address=address, now=now)


def _rows(name: str, encoding: str) -> list[list[str]]:
    with (CLAIMS / name).open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, delimiter=";"))[1:]
