"""A concentrator that groups, with two practices, an insurer that opens what it gets and answers it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oct.formats.arl import ArlFile, ArlLot
from oct.formats.b2 import B2File, read_file
from oct.formats.frame import FrameFields
from oct.simulators.envelopes import unseal, unwrap
from oct.simulators.mail import Envelope, Letter, Shape, compose
from oct.simulators.return_files import arl
from oct.steps.gather import gather
from oct.store.messages import Message
from tests.claims import LAYOUTS, OCT_NUMBER, PS, Batch, Claim
from tests.steps.bench import OCT
from tests.steps.resending_rig import ADDRESS, KEYS, LOIRE, Rig, file_of, mail, rig

GARE, GARE_ADDRESS = "512223334", "gare@boite.example"
WINDOW = '[grouping]\nwindow = "1h"\n'
TO_OCT = FrameFields(
    sender_type="CT",
    sender_number="00000001422422",
    recipient_type="OT",
    recipient_number=OCT_NUMBER,
    application="AR",
    file_id="000001",
    created_on="261121",
)


@dataclass(frozen=True)
class Arrived:
    """What an insurer got: the message and its file."""

    letter: Letter
    file: B2File

    @property
    def lots(self) -> list[bytes]:
        return [self.file.content(lot) for lot in self.file.lots]


class Group:
    """The rig, and what this test does with it."""

    def __init__(self, pieces: Rig) -> None:
        self.rig = pieces

    def submit_gare(self, *batches: Batch) -> Message:
        """A file of the other practice."""
        raw = mail(file_of(batches).replace(PS.encode(), GARE.encode()))
        raw = raw.replace(ADDRESS.encode(), GARE_ADDRESS.encode()).replace(PS.encode(), GARE.encode())
        return self.rig.take(raw, GARE_ADDRESS)

    def close_window(self) -> int:
        """An hour later: what the step finds, and what is sent of it."""
        self.rig.clock.pass_hours(1)
        found = gather(self.rig.workshop)
        self.rig.work()
        return found

    def arrived(self, address: str = LOIRE) -> list[Arrived]:
        """The files that an insurer got."""
        letters = self.rig.outside.of(address)
        return [
            Arrived(letter, read_file(unwrap(unseal(letter.content, KEYS[address])), LAYOUTS)) for letter in letters
        ]

    def answer(self, told: Sequence[ArlLot] | ArlFile, to: Letter | None = None) -> Message:
        """The insurer's ARL to the concentrator, in reply to a message of ours when it says so."""
        reply = f"In-Reply-To: {to.message['Message-ID']}\r\n" if to is not None else ""
        number = self.rig.clock.now % 1000 + len(self.rig.outside.letters)
        envelope = Envelope(LOIRE, OCT, "ARL", self.rig.clock(), f"<a{number}@assureur.example>", "ARL/SV", "arl")
        raw = compose(envelope, Shape.CLEAR, arl(TO_OCT, told, LAYOUTS))
        return self.rig.take(reply.encode() + raw, LOIRE)

    def letters(self, address: str, description: str) -> list[Letter]:
        """What a practice got of one kind."""
        return [one for one in self.rig.outside.of(address) if one.description.startswith(description)]

    def texts(self, address: str) -> list[str]:
        """The ART and later texts of a practice, each on one line."""
        return [" ".join(one.content.decode("latin-1").split()) for one in self.letters(address, "ART/")]


def lot(number: int) -> Batch:
    """A lot of one invoice for the Loire."""
    return Batch((Claim(number),), number)


def as_gare(batch: Batch) -> bytes:
    """Its bytes when the other practice sends it."""
    return batch.content().replace(PS.encode(), GARE.encode())


def said(batch: Batch, ps: str = PS, code: str = "") -> ArlLot:
    """What an ARL says of a lot: refused with a code, or accepted."""
    return ArlLot(ps, batch.organism, f"{batch.number:03d}", "261120", positive=not code, code=code, label="")


@contextmanager
def group(home: Path, database_url: str, more: str = WINDOW) -> Iterator[Group]:
    """A rig that groups what is built in an hour."""
    with rig(home, database_url, more) as pieces:
        yield Group(pieces)


def without_grouping(pieces: Group) -> Group:
    """The same after the operator took the setting back."""
    workshop = pieces.rig.workshop
    pieces.rig.workshop = replace(workshop, rules=replace(workshop.rules, grouping=0))
    return pieces
