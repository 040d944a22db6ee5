"""The bench of the steps with a clock that a test moves, claim files of one practitioner, and insurers that answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from oct.crypto.keystore import KeyRing, OwnKey
from oct.formats.arl import ArlLot
from oct.formats.b2 import read_file
from oct.formats.frame import FrameFields
from oct.simulators.envelopes import unseal, unwrap
from oct.simulators.mail import Envelope, Letter, Shape, compose
from oct.simulators.return_files import arl
from oct.steps.watch import watch
from oct.store import insurers, lots
from oct.store.engine import Store
from oct.store.lots import Lot
from oct.store.messages import Message
from oct.store.numbering import Numbering
from tests.claims import ALPHA, LAYOUTS, OCT_NUMBER, PS, Batch, claim_file
from tests.steps.bench import OCT, PKI, Bench, Hands, bench

ADDRESS = "pont@boite.example"
LOIRE, BOURG, MUTUELLE = "01422@422.01.rss.fr", "01011@011.01.rss.fr", "ma349@349.ma.rss.fr"
TO_LOIRE = ("CT", "00000001016422")
"""Recipient of a file split at the source."""
START = 1_795_200_000_000
HOUR = 3_600_000
CLEAR = "[clear]\naccept = true\n"
KEYS: dict[str, OwnKey] = {key.name: key for key in KeyRing.load(PKI).keys}
_numbers = count(1)


@dataclass
class Hand:
    """The hand that moves the clock."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def pass_hours(self, hours: float) -> None:
        self.now += int(hours * HOUR)


class Rig(Bench):
    """A bench whose time stands still until it is moved."""

    def __init__(self, pieces: Bench, clock: Hand) -> None:
        workshop = replace(pieces.workshop, clock=clock, numbering=Numbering(pieces.workshop.store, clock))
        name = f"essai-{next(_numbers)}-"
        super().__init__(workshop, Hands(workshop, pieces.hands.connect, name), pieces.outside)
        self.clock = clock

    def restarted(self, store: Store) -> Rig:
        """The same concentrator in another process."""
        workshop = replace(self.workshop, store=store)
        return Rig(Bench(workshop, self.hands, self.outside), self.clock)

    def submit(self, *batches: Batch, recipient: tuple[str, str] | None = None) -> Message:
        """Sends a file of these lots, under a new compostage, and works until nothing is left to do."""
        return self.take(mail(file_of(batches, recipient)), ADDRESS)

    def acknowledge(self, *batches: Batch, code: str = "", insurer: str = LOIRE) -> None:
        """The insurer's ARL of these lots: refused with the code, if there is one."""
        lots_told = [
            ArlLot(one.ps, one.organism, f"{one.number:03d}", "261120", positive=not code, code=code, label="")
            for one in batches
        ]
        fields = FrameFields(
            sender_type="CT",
            sender_number="00000001011011",
            recipient_type="TP",
            recipient_number=PS.zfill(14),
            application="AR",
            file_id="000001",
            created_on="261121",
        )
        number = next(_numbers)
        subject = f"SV140700/{PS.zfill(14)}/{2026112112000000000 + number}/00001"
        envelope = Envelope(insurer, OCT, subject, self.clock(), f"<arl{number}@assureur.example>", "ARL/SV", "arl")
        self.take(compose(envelope, Shape.CLEAR, arl(fields, lots_told, LAYOUTS)), insurer)

    def watch(self) -> int:
        """The step, and the texts it gives rise to."""
        told = watch(self.workshop)
        self.work()
        return told

    def arrived(self, address: str = LOIRE) -> list[bytes]:
        """The lots that an insurer got, in order."""
        found = []
        for letter in self.outside.of(address):
            file = read_file(unwrap(unseal(letter.content, KEYS[address])), LAYOUTS)
            found += [file.content(lot) for lot in file.lots]
        return found

    @property
    def texts(self) -> list[str]:
        """The ART and later texts that reached the practitioner, each on one line: a sentence is not cut."""
        return [" ".join(letter.content.decode("latin-1").split()) for letter in self._letters("ART/")]

    @property
    def arls(self) -> list[Letter]:
        """The ARL that reached the practitioner."""
        return self._letters("SV140700/")

    def rows(self, message: Message) -> list[Lot]:
        """The lots of a message as they are kept."""
        with self.workshop.store.read() as conn:
            return lots.of_message(conn, message.id)

    def states(self, message: Message) -> list[str]:
        """Their states."""
        return [lot.state for lot in self.rows(message)]

    def _letters(self, subject: str) -> list[Letter]:
        return [letter for letter in self.outside.of(ADDRESS) if letter.subject.startswith(subject)]


def file_of(batches: Sequence[Batch], recipient: tuple[str, str] | None = None) -> bytes:
    """A single file, or one addressed to its insurer (S1)."""
    return claim_file(*batches, recipient=recipient or ("OT", OCT_NUMBER))


def mail(data: bytes) -> bytes:
    """A message for a file, under a compostage of its own."""
    number = next(_numbers)
    invoices = sum(data[start : start + 1] == b"5" for start in range(0, len(data), 128))
    subject = f"SV140700/{PS.zfill(14)}/{2026112108000000000 + number}/{invoices:05d}"
    envelope = Envelope(ADDRESS, OCT, subject, START, f"<envoi{number}@ps.example>", "FACTURE/SV", "factures.b2")
    return compose(envelope, Shape.CLEAR, data)


@contextmanager
def rig(home: Path, database_url: str, more: str = "") -> Iterator[Rig]:
    """A concentrator that knows two caisses and a mutuelle; `more` is added to its settings."""
    with bench(home, database_url, CLEAR + more) as pieces:
        with pieces.workshop.store.begin() as conn:
            known = {insurer.address: insurer.id for insurer in insurers.list_all(conn)}
            for caisse, address in (("422", LOIRE), ("011", BOURG)):
                insurers.map_caisse(conn, "01", caisse, "0000", "CAISSE", known[address])
            insurers.upsert_amc(conn, number=ALPHA, label="MUTUELLE ALPHA", address=MUTUELLE, route="MA", host="349")
        yield Rig(pieces, Hand())
