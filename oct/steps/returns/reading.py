"""Reads what an insurer sent, and finds what it refers to: the facts on which a return's addressee is decided (R2).

The file is opened when it is encrypted to us, recognised by its profile and by its own frame, and parsed as far as a
layout is known. A file whose layout cannot be read stays what it is: opaque, with the reason. The look-ups give sets
of practitioners and choose nobody. Sources: returns.md, rules R1, R2, C6.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from oct.domain.model import LotKind
from oct.domain.return_outcomes import ANSWERABLE
from oct.domain.returns import Candidates, InvoiceRef, LotRef, Reference, references_of
from oct.envelope.opening import Opened
from oct.errors import FormatError
from oct.formats.arl import Arl, read_arl
from oct.formats.entities import Entities
from oct.formats.frame import ReturnFrame, read_frame
from oct.formats.layouts import Layouts
from oct.formats.noemie import NoemieFile, read_noemie
from oct.formats.profiles import Kind, Profiles
from oct.store import lots, returns
from oct.store.lots import Lot
from oct.store.messages import Message
from oct.store.registry import Snapshot
from oct.store.returns import InvoiceReference, LotReference

_COMPOSTAGE = re.compile(r"(?<!\d)\d{19}(?!\d)")
_ARL = "AR"
TOO_LARGE = "retour-trop-grand"
LARGEST = 8 << 20
"""Bytes of a return that is parsed: some 300,000 entities, and 30 times its size in memory (H3). Others wait."""


class ReturnKind(StrEnum):
    """What an insurer sends back."""

    ARL = "ARL"
    RSP = "RSP"
    TEXT = "TEXTE"


@dataclass(frozen=True, slots=True)
class ReadReturn:
    """A return as far as it could be read. `fault` is set when a known layout was expected and not found."""

    kind: ReturnKind
    parsed: NoemieFile | Arl | ReturnFrame | None
    fault: FormatError | None = None

    @property
    def reference(self) -> str:
        """NOEMIE's reference of the exchange: 580, 576, 900."""
        if isinstance(self.parsed, NoemieFile):
            return self.parsed.frame.norm
        return ""


def read_return(opened: Opened, profiles: Profiles, layouts: Layouts, entities: Entities) -> ReadReturn:
    """What the file is. Never raises for its content: the fault stands in the value."""
    profile = profiles.match(opened.description)
    announced = profile.kind if profile is not None else None
    try:
        frame = read_frame(opened.file, layouts)
    except FormatError as fault:
        expected = announced in {Kind.ARL, Kind.RSP}
        kind = ReturnKind(announced.value) if announced is not None and expected else ReturnKind.TEXT
        return ReadReturn(kind, None, fault if expected else None)
    kind = ReturnKind.ARL if frame.application == _ARL or announced is Kind.ARL else ReturnKind.RSP
    if len(opened.file) > LARGEST:
        large = FormatError(TOO_LARGE, "Le retour est trop grand pour être lu ici : plus de 8 Mio.", rule="H3")
        return ReadReturn(kind, frame, large)
    try:
        parsed = (
            read_arl(opened.file, layouts) if kind is ReturnKind.ARL else read_noemie(opened.file, layouts, entities)
        )
    except FormatError as fault:
        return ReadReturn(kind, frame, fault)
    return ReadReturn(kind, parsed)


def insurers_behind(message: Message, snapshot: Snapshot) -> frozenset[int]:
    """All the insurers that write from the address of this message's: a computer centre answers for several."""
    insurer = snapshot.directory.insurers.get(message.insurer_id or 0)
    if insurer is None:
        return frozenset()
    return frozenset(
        other.id for other in snapshot.directory.insurers.values() if other.address.lower() == insurer.address.lower()
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store and the register say of a return's references."""

    candidates: Candidates
    owners: dict[Reference, frozenset[int]]
    answered_lots: frozenset[int]
    together: tuple[int, ...] = ()
    """For an ARL of one file in which lots of several left together (A15): the practitioner of each of its lots, in
    order, or all of them when it speaks of the file. Empty when one of them is not certain."""


def facts_of(
    conn: Connection, read: ReadReturn, opened: Opened, entities: Entities, snapshot: Snapshot, sender: Collection[int]
) -> Facts:
    """Looks up every reference among what was sent to the insurers `sender` (ids)."""
    headers = opened.headers
    answered = returns.answered(conn, [headers.in_reply_to, *headers.references], _COMPOSTAGE.findall(headers.subject))
    if read.parsed is None:
        return Facts(Candidates(answered=answered.practitioner_ids), {}, answered.lot_ids)
    references = references_of(read.parsed, entities)
    owners: dict[Reference, frozenset[int]] = {
        settlement: _account(settlement.ps_number, snapshot) for settlement in references.settlements
    }
    owners |= zip(references.lots, _owners_of_lots(conn, references.lots, sender), strict=True)
    owners |= zip(references.invoices, _owners_of_invoices(conn, references.invoices, sender), strict=True)
    in_file = lots_of_file(conn, references.file_id, sender, answered.lot_ids) if references.file_id else []
    by_file = (_owners(in_file),) if references.file_id is not None else ()
    sent = (*(owners[one] for one in references.lots), *by_file)
    candidates = Candidates(
        header=_account(references.header_number, snapshot) if references.header_number is not None else None,
        settlements=tuple(owners[one] for one in references.settlements),
        lots=sent,
        invoices=tuple(owners[one] for one in references.invoices),
        answered=answered.practitioner_ids,
        named=tuple(_account(lot.ps_number, snapshot) for lot in references.lots if lot.ps_number and not owners[lot]),
        unsent=isinstance(read.parsed, Arl) and not all(sent) and not lots_unread(conn, answered.lot_ids, sender),
    )
    together = _together(conn, read.parsed, candidates, in_file, sender) if isinstance(read.parsed, Arl) else ()
    return Facts(candidates, owners, answered.lot_ids, together)


def lots_named(conn: Connection, reference: LotRef, practitioner_id: int | None, sender: Collection[int]) -> list[Lot]:
    """The sendings of a lot that left for that insurer, the oldest first; of one practitioner when he is known.

    The organism tells the lots of several caisses at one address apart. A lot for an AMC bears the organism of a
    caisse, which that AMC need not repeat.
    """
    return [
        lot
        for lot in lots.by_number_and_date(conn, reference.lot_number, reference.lot_date)
        if lot.insurer_id in sender
        and lot.state in ANSWERABLE
        and practitioner_id in {None, lot.practitioner_id}
        and reference.ps_number in {None, lot.ps_number}
        and (reference.organism in {None, lot.organism} or lot.kind in {LotKind.DRE, LotKind.AMC})
    ]


def lots_unread(conn: Connection, answered: Collection[int], sender: Collection[int]) -> list[Lot]:
    """The files that nobody read (O2), among the lots of the message replied to: what they hold is not known here."""
    return [lot for lot in lots.by_ids(conn, answered) if lot.kind == LotKind.FLUX and lot.insurer_id in sender]


def lots_of_file(
    conn: Connection,
    file_id: str,
    sender: Collection[int],
    answered: Collection[int],
    practitioner_id: int | None = None,
) -> list[Lot]:
    """The lots that left in the file that an ARL of a whole file names; of one practitioner when he is known.

    A file passed on as it is keeps the practitioner's own file id, which others may use too: when the message
    answers one of our sendings, only the lots of that sending count.
    """
    sent = [
        lot
        for lot in lots.by_file_id(conn, file_id)
        if lot.insurer_id in sender and lot.state in ANSWERABLE and practitioner_id in {None, lot.practitioner_id}
    ]
    answering = [lot for lot in sent if lot.id in answered]
    return answering or sent


def _account(number: str, snapshot: Snapshot) -> frozenset[int]:
    account = snapshot.by_number.get(number)
    return frozenset() if account is None else frozenset({account.id})


def _owners_of_lots(conn: Connection, references: Sequence[LotRef], sender: Collection[int]) -> list[frozenset[int]]:
    return returns.practitioners_of_lots(
        conn, [LotReference(one.lot_number, one.lot_date, one.ps_number or "") for one in references], sender
    )


def _owners_of_invoices(
    conn: Connection, references: Sequence[InvoiceRef], sender: Collection[int]
) -> list[frozenset[int]]:
    named = [
        InvoiceReference(one.invoice_number, one.lot.lot_number, one.lot.lot_date)
        for one in references
        if one.lot is not None
    ]
    return returns.practitioners_of_invoices(conn, named, sender)


def _owners(found: Collection[Lot]) -> frozenset[int]:
    return frozenset(lot.practitioner_id for lot in found if lot.practitioner_id is not None)


def _together(
    conn: Connection, arl: Arl, candidates: Candidates, in_file: Sequence[Lot], sender: Collection[int]
) -> tuple[int, ...]:
    """See `Facts`. Several practitioners may only be meant where one sending of ours carried the lots of all."""
    several = frozenset[int]().union(*candidates.lots)
    if (
        len(several) < 2
        or candidates.header is not None
        or (candidates.answered and not several <= candidates.answered)
    ):
        return ()
    if arl.file is not None:
        return tuple(sorted(several)) if len({lot.consignment_id for lot in in_file}) == 1 else ()
    spoken_of = [
        lots_named(conn, LotRef(lot.lot_number, lot.lot_date, lot.ps_number, lot.organism), None, sender)
        for lot in arl.lots
    ]
    carriers = [{lot.consignment_id for lot in sendings} for sendings in spoken_of]
    owners = [_owners(sendings) for sendings in spoken_of]
    if not set.intersection(*carriers) or any(len(owner) != 1 for owner in owners):
        return ()
    return tuple(next(iter(owner)) for owner in owners)
