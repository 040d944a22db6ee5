"""Lots and their invoices: what they are, where they went, what the insurer said of them (R4).

States are the journey's, given and read as text; amounts are centimes. A lot is known by PS number, lot number and
lot date, and within them by the organism; never by a compostage (M5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, update

from oct.domain.journey import AWAITING, LotState
from oct.domain.return_outcomes import ANSWERABLE
from oct.store.rows import Rows, columns, insert_all, insert_tuples, update_rows
from oct.store.tables import consignments, invoices, lots, messages

REPLACED = "remplace"
"""The code of a lot that left a hold because it came again (D2)."""

_ROWS = 5_000
"""Most rows that are made at a time: a large file has fifty thousand invoices."""


class NewInvoice(NamedTuple):
    """An invoice of a lot. `split`: contract 99, its AMC part goes by a derived flow. `pseudonym` is the patient's.

    A named tuple: there are many of them, and it is a row already.
    """

    number: str
    ps_number: str
    billed: int
    amo: int
    amc: int
    split: bool = False
    pseudonym: bytes | None = None


class NewLot(NamedTuple):
    """A lot of a message, as its row. `rank` is its order of arrival, `lot_date` AAMMJJ as its header gives it.

    `sha256` is that of the bytes that leave, `received_sha256` what a re-sending is recognised by (D2). `first_lot_id`
    is the lot that this one repeats, or that took its place.
    """

    message_id: int
    file_id: int | None
    rank: int
    kind: str
    ps_number: str
    practitioner_id: int | None
    organism: str
    number: str
    lot_date: str
    sha256: bytes
    received_sha256: bytes
    size: int
    invoice_count: int
    billed: int
    amo: int
    amc: int
    insurer_id: int | None
    consignment_id: int | None
    hold_id: int | None
    state: str
    code: str
    state_at: int
    first_lot_id: int | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot that is kept."""

    id: int
    message_id: int
    file_id: int | None
    rank: int
    kind: str
    ps_number: str
    practitioner_id: int | None
    organism: str
    number: str
    lot_date: str
    sha256: bytes
    received_sha256: bytes
    size: int
    invoice_count: int
    billed: int
    amo: int
    amc: int
    insurer_id: int | None
    consignment_id: int | None
    hold_id: int | None
    state: str
    code: str
    state_at: int
    first_lot_id: int | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice that is kept; its states are NOEMIE's: P paid, R rejected, D deferred, empty when unanswered."""

    id: int
    lot_id: int
    number: str
    ps_number: str
    billed: int
    amo: int
    amc: int
    split: bool
    amo_state: str
    amc_state: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An invoice of a patient: in which message and lot it came, when (ms), for whom, of how much."""

    trace: str
    received_at: int
    number: str
    ps_number: str
    billed: int
    lot_number: str
    lot_kind: str


@dataclass(frozen=True, slots=True)
class InvoiceAnswer:
    """What an RSP says of one invoice; a part it does not speak of is None and stays as it was."""

    lot_id: int
    number: str
    amo_state: str | None = None
    amc_state: str | None = None


_COLUMNS = columns(lots, Lot)
_INVOICE = ("lot_id", *NewInvoice._fields)
_STAYS = (ANSWERABLE - AWAITING) | {LotState.DUPLICATE}
"""What a sending does not move any more: answered, or taken out of it by a later one (D2)."""
CARRIED = (
    update(lots)
    .where(
        lots.c.consignment_id == bindparam("consignment"),
        *(lots.c.state != state for state in sorted(_STAYS)),
    )
    .values(state=bindparam("to"), code=bindparam("because"), state_at=bindparam("at"))
)
"""Moves what consignments carry still, with the parameters that `leaving` gives."""


def insert_many(conn: Connection, new: Sequence[tuple[NewLot, Sequence[NewInvoice]]]) -> list[int]:
    """Keep lots with their invoices; the ids of the lots, in the same order."""
    ids = insert_all(conn, lots, NewLot._fields, [lot for lot, _ in new])
    rows = ((lot_id, *invoice) for lot_id, (_, own) in zip(ids, new, strict=True) for invoice in own)
    while some := list(islice(rows, _ROWS)):
        insert_tuples(conn, invoices, _INVOICE, some)
    return ids


def set_state(conn: Connection, ids: Collection[int], state: str, code: str, now: int) -> None:
    """Move lots to a state, with the code that explains it."""
    _move(conn, lots.c.id.in_(ids), state, code, now)


def move_with_consignments(conn: Connection, moved: Mapping[int, int], state: str) -> int:
    """Move the lots that consignments carry still and that nobody has answered yet; how many. `moved` leads from the
    id of a consignment to when it was, in ms.

    A fast insurer answers before its 250 is written down.
    """
    return update_rows(conn, CARRIED, leaving(moved, state))


def leaving(moved: Mapping[int, int], state: str) -> Rows:
    """The parameters of `CARRIED`, in the order of the consignments."""
    same = {"to": str(state), "because": ""}
    return [{"consignment": one, "at": moved[one], **same} for one in sorted(moved)]


def replace(conn: Connection, by: Mapping[int, int], now: int) -> None:
    """Lots that waited are replaced by later sendings of the same: `by` leads from their ids to those of the later.

    They keep the hold or the consignment that they were in: what is left of it must be made again without them.
    """
    for lot_id, later in by.items():
        conn.execute(
            update(lots)
            .where(lots.c.id == lot_id)
            .values(state=LotState.DUPLICATE, code=REPLACED, first_lot_id=later, state_at=now)
        )


def let_time_pass(conn: Connection, ids: Collection[int], before: str, after: str, delay: int) -> bool:
    """Moves lots that have been in a state for `delay` ms to another, as from the end of that delay (D1).

    False, and nothing moved, when one of them has left that state meanwhile.
    """
    chosen = lots.c.id.in_(ids) & (lots.c.state == before)
    locked = select(lots.c.id).where(chosen).order_by(lots.c.id).with_for_update(key_share=True)
    still = conn.execute(locked).scalars().all()
    if len(still) < len(ids):
        return False
    conn.execute(update(lots).where(chosen).values(state=after, state_at=lots.c.state_at + delay))
    return True


def assign(conn: Connection, ids: Collection[int], insurer_id: int, consignment_id: int) -> None:
    """Lots that were held leave: for this insurer, in this consignment."""
    conn.execute(
        update(lots)
        .where(lots.c.id.in_(ids))
        .values(insurer_id=insurer_id, consignment_id=consignment_id, hold_id=None)
    )


def move(conn: Connection, lot_id: int, to: NewLot) -> None:
    """A held lot gets the addressee, the consignment or the hold, and the state of `to`."""
    fields = ("sha256", "size", "insurer_id", "consignment_id", "hold_id", "state", "code", "state_at")
    conn.execute(update(lots).where(lots.c.id == lot_id).values({name: getattr(to, name) for name in fields}))


def set_invoice_states(conn: Connection, answers: Iterable[InvoiceAnswer]) -> None:
    """Write what an RSP says of invoices, each part by itself."""
    given = list(answers)
    for column in (invoices.c.amo_state, invoices.c.amc_state):
        rows = [
            {"of_lot": answer.lot_id, "of_number": answer.number, "to": state}
            for answer in given
            if (state := getattr(answer, column.name)) is not None
        ]
        if rows:
            conn.execute(
                update(invoices)
                .where(invoices.c.lot_id == bindparam("of_lot"), invoices.c.number == bindparam("of_number"))
                .values({column: bindparam("to")}),
                rows,
            )


def of_message(conn: Connection, message_id: int) -> list[Lot]:
    """The lots of a message, in order of arrival."""
    return _some(conn, lots.c.message_id == message_id)


def by_ids(conn: Connection, ids: Collection[int]) -> list[Lot]:
    """The lots of these ids."""
    return _some(conn, lots.c.id.in_(ids))


def of_consignment(conn: Connection, consignment_id: int) -> list[Lot]:
    """The lots that a consignment carries."""
    return _some(conn, lots.c.consignment_id == consignment_id)


def messages_of(conn: Connection, ids: Collection[int]) -> set[int]:
    """The messages that these lots came in."""
    return set(conn.execute(select(lots.c.message_id).where(lots.c.id.in_(ids))).scalars())


def repeating(conn: Connection, root_ids: Collection[int], states: Collection[str]) -> list[Lot]:
    """The first sendings of these ids and those that repeat them, the ones in one of these states."""
    return _some(conn, or_(lots.c.id.in_(root_ids), lots.c.first_lot_id.in_(root_ids)) & lots.c.state.in_(states))


def of_hold(conn: Connection, hold_id: int, consignment_id: int | None = None) -> list[Lot]:
    """The lots that wait in a hold, or in the consignment that does, and those that later sendings took out of it."""
    carried = lots.c.hold_id == hold_id if consignment_id is None else lots.c.consignment_id == consignment_id
    return _some(conn, carried)


def by_identity(conn: Connection, ps_number: str, number: str, lot_date: str, organism: str | None = None) -> list[Lot]:
    """Every sending of a lot, the oldest first; of all organisms unless one is named."""
    condition = (lots.c.ps_number == ps_number) & (lots.c.number == number) & (lots.c.lot_date == lot_date)
    if organism is not None:
        condition &= lots.c.organism == organism
    return _some(conn, condition)


def by_number_and_date(conn: Connection, number: str, lot_date: str) -> list[Lot]:
    """Every sending of the lots of this number and date, whoever's they are, the oldest first."""
    return _some(conn, (lots.c.number == number) & (lots.c.lot_date == lot_date))


def by_invoice(conn: Connection, number: str, ps_number: str | None = None) -> list[Lot]:
    """The lots that hold an invoice of this number, the oldest first."""
    chosen = select(invoices.c.lot_id).where(invoices.c.number == number)
    if ps_number is not None:
        chosen = chosen.where(invoices.c.ps_number == ps_number)
    return _some(conn, lots.c.id.in_(chosen))


def by_file_id(conn: Connection, file_id: str) -> list[Lot]:
    """The lots that left in a file of this id (the concentrator's own, L5)."""
    return _some(conn, lots.c.consignment_id.in_(select(consignments.c.id).where(consignments.c.file_id == file_id)))


def unchanged_since(conn: Connection, state: str, before: int, limit: int) -> list[Lot]:
    """Lots that entered `state` before an instant and are in it still (D1), the oldest first."""
    rows = conn.execute(
        select(*_COLUMNS)
        .where(lots.c.state == state, lots.c.state_at < before)
        .order_by(lots.c.state_at, lots.c.id)
        .limit(limit)
    )
    return [Lot(*row) for row in rows]


def invoices_of(conn: Connection, lot_id: int) -> list[Invoice]:
    """The invoices of a lot, in order."""
    rows = conn.execute(select(*columns(invoices, Invoice)).where(invoices.c.lot_id == lot_id).order_by(invoices.c.id))
    return [Invoice(*row) for row in rows]


def invoice_by_id(conn: Connection, invoice_id: int) -> Invoice | None:
    """The invoice of an id."""
    row = conn.execute(select(*columns(invoices, Invoice)).where(invoices.c.id == invoice_id)).one_or_none()
    return None if row is None else Invoice(*row)


def of_patient(conn: Connection, pseudonyms: Collection[bytes], limit: int) -> list[Claim]:
    """The claims of one patient, under any of its pseudonyms, the newest first."""
    statement = (
        select(
            messages.c.trace,
            messages.c.received_at,
            invoices.c.number,
            invoices.c.ps_number,
            invoices.c.billed,
            lots.c.number,
            lots.c.kind,
        )
        .join(lots, invoices.c.lot_id == lots.c.id)
        .join(messages, lots.c.message_id == messages.c.id)
        .where(invoices.c.pseudonym.in_(pseudonyms))
        .order_by(invoices.c.id.desc())
        .limit(limit)
    )
    return [Claim(*row) for row in conn.execute(statement)]


def _move(conn: Connection, condition: ColumnElement[bool], state: str, code: str, now: int) -> int:
    return conn.execute(update(lots).where(condition).values(state=state, code=code, state_at=now)).rowcount


def _some(conn: Connection, condition: ColumnElement[bool]) -> list[Lot]:
    return [Lot(*row) for row in conn.execute(select(*_COLUMNS).where(condition).order_by(lots.c.id))]
