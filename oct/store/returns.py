"""Returns of insurers (ARL, RSP, texts): whose they are, by what evidence, and what they said of which lots (R2, R4).

The look-ups give *sets* of practitioners and never choose: deciding, or holding when two are possible, is the
domain's. A return is known to one practitioner only once it is known surely.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, insert, or_, select, update

from oct.domain.journey import ConsignmentState
from oct.store.rows import columns, values
from oct.store.tables import consignments, invoices, lots, mailbox_items, messages, return_lots, returns

_CHUNK = 500
"""Lots looked up in one statement."""


class ReturnState(StrEnum):
    """Where a return stands: put into the queue for its practitioner, the concentrator's own (C6), held for a person,
    or turned down by one."""

    DELIVERED = "remis"
    OWN = "propre"
    HELD = "retenu"
    REFUSED = "refuse"


class Progress(StrEnum):
    """How far a return that has its practitioner has come towards it. The other states say where a return stands
    themselves."""

    WAITING = "attente"
    SENT = "transmis"
    FAILED = "echec"
    DEPOSITED = "depose"
    """In the mailbox hosted here."""
    FETCHED = "releve"
    """From there, once at least."""
    DELETED = "efface"
    """Unread, by who reads that mailbox."""


@dataclass(frozen=True, slots=True)
class NewReturn:
    """A return to keep: for a RSP of several PS, one per PS (R3). `reference` is NOEMIE's (580, 576, 900) or empty,
    `evidence` by what the PS was recognised, `consignment_id` the sending that carries it to the PS."""

    message_id: int
    kind: str
    """`ARL`, `RSP`, `TEXTE` or `DLOI`."""
    insurer_id: int | None
    practitioner_id: int | None
    consignment_id: int | None
    reference: str
    evidence: str
    sha256: bytes
    size: int
    received_at: int
    state: str


@dataclass(frozen=True, slots=True)
class Return:
    """A return that is kept."""

    id: int
    message_id: int
    kind: str
    insurer_id: int | None
    practitioner_id: int | None
    consignment_id: int | None
    reference: str
    evidence: str
    sha256: bytes
    size: int
    received_at: int
    state: str


@dataclass(frozen=True, slots=True)
class KeptReturn:
    """A return with the trace number of its message, and where and in what state its sending to the PS is."""

    one: Return
    trace: str
    recipient: str
    sending: str
    hosted: bool
    """Whether it lies in a mailbox hosted here."""
    fetched_at: int | None
    """When it was first fetched there."""


@dataclass(frozen=True, slots=True)
class LotAnswer:
    """What a return says of one lot: an outcome, and the insurer's code and label."""

    lot_id: int
    outcome: str
    code: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class LotReference:
    """How a return names a lot: number, date AAMMJJ, and the PS number when it gives one."""

    number: str
    lot_date: str
    ps_number: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceReference:
    """How a return names an invoice: its number, inside a lot of that number and date."""

    number: str
    lot_number: str
    lot_date: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The sendings to an insurer that a return answers, and whose they were."""

    consignment_ids: frozenset[int]
    practitioner_ids: frozenset[int]
    lot_ids: frozenset[int]


_COLUMNS = columns(returns, Return)


def insert_return(conn: Connection, new: NewReturn) -> int:
    """Keep a return; its id."""
    return int(conn.execute(insert(returns).returning(returns.c.id), values(new)).scalar_one())


def link_lots(conn: Connection, return_id: int, answers: Sequence[LotAnswer]) -> None:
    """Link a return to the lots it answers (R4)."""
    if answers:
        conn.execute(insert(return_lots), [{**values(answer), "return_id": return_id} for answer in answers])


def assign(
    conn: Connection, return_id: int, practitioner_id: int, consignment_id: int, evidence: str, state: str
) -> None:
    """The practitioner of a return became known, and it leaves in this consignment."""
    conn.execute(
        update(returns)
        .where(returns.c.id == return_id)
        .values(practitioner_id=practitioner_id, consignment_id=consignment_id, evidence=evidence, state=state)
    )


def set_state(conn: Connection, return_id: int, state: str) -> None:
    """Move a return to a state."""
    conn.execute(update(returns).where(returns.c.id == return_id).values(state=state))


def by_id(conn: Connection, return_id: int) -> Return | None:
    """The return of an id."""
    row = conn.execute(select(*_COLUMNS).where(returns.c.id == return_id)).one_or_none()
    return None if row is None else Return(*row)


def of_practitioner(conn: Connection, practitioner_id: int, since: int, sent_to: str | None = None) -> list[Return]:
    """A practitioner's returns received since an instant (R6), those sent to one address when it is given."""
    return [kept.one for kept in listing(conn, since=since, practitioner_id=practitioner_id, sent_to=sent_to)]


def listing(
    conn: Connection, *, since: int, practitioner_id: int | None = None, sent_to: str | None = None
) -> list[KeptReturn]:
    """The returns received since an instant, the oldest first: of one practitioner, sent to one address, when given."""
    statement = (
        select(
            *_COLUMNS,
            messages.c.trace,
            consignments.c.recipient,
            consignments.c.state.label("sending"),
            mailbox_items.c.id.is_not(None) & mailbox_items.c.hidden_at.is_(None),
            mailbox_items.c.fetched_at,
        )
        .join(messages, messages.c.id == returns.c.message_id)
        .outerjoin(consignments, consignments.c.id == returns.c.consignment_id)
        .outerjoin(mailbox_items, mailbox_items.c.consignment_id == consignments.c.id)
        .where(returns.c.received_at >= since)
    )
    if practitioner_id is not None:
        statement = statement.where(returns.c.practitioner_id == practitioner_id)
    if sent_to is not None:
        statement = statement.where(consignments.c.recipient == sent_to)
    return [
        KeptReturn(Return(*row), trace, recipient or "", sending or "", bool(hosted), fetched_at)
        for *row, trace, recipient, sending, hosted, fetched_at in conn.execute(statement.order_by(returns.c.id))
    ]


def progress(conn: Connection, some: Collection[Return]) -> dict[int, str]:
    """Where each of these returns stands, by its id: its progress, or its state when it goes to nobody."""
    item = mailbox_items.c
    statement = (
        select(
            returns.c.id, consignments.c.state, consignments.c.delivered_at,
            item.arrived_at, item.fetched_at, item.hidden_at,
        )
        .join(consignments, consignments.c.id == returns.c.consignment_id)
        .outerjoin(mailbox_items, item.consignment_id == consignments.c.id)
        .where(returns.c.id.in_([one.id for one in some if one.state == ReturnState.DELIVERED]))
    )  # fmt: skip
    sent = {return_id: _progress(*facts) for return_id, *facts in conn.execute(statement)}
    return {one.id: sent.get(one.id, one.state) for one in some}


def _progress(
    sending: str, delivered_at: int | None, arrived_at: int | None, fetched_at: int | None, hidden_at: int | None
) -> Progress:
    if sending != ConsignmentState.DELIVERED:
        return Progress.FAILED if sending == ConsignmentState.FAILED else Progress.WAITING
    if arrived_at is None or (hidden_at is not None and delivered_at is not None and delivered_at > hidden_at):
        return Progress.SENT  # by SMTP, perhaps after it was taken back from the hosted mailbox
    if fetched_at is not None:
        return Progress.FETCHED
    return Progress.DEPOSITED if hidden_at is None else Progress.DELETED


def of_lot(conn: Connection, lot_id: int) -> list[Return]:
    """The returns that answer a lot, the oldest first."""
    rows = conn.execute(
        select(*_COLUMNS)
        .join(return_lots, return_lots.c.return_id == returns.c.id)
        .where(return_lots.c.lot_id == lot_id)
        .order_by(returns.c.id)
    )
    return [Return(*row) for row in rows]


def answers_of(conn: Connection, return_id: int) -> list[LotAnswer]:
    """What a return says of each lot."""
    rows = conn.execute(
        select(*columns(return_lots, LotAnswer))
        .where(return_lots.c.return_id == return_id)
        .order_by(return_lots.c.lot_id)
    )
    return [LotAnswer(*row) for row in rows]


def practitioners_of_lots(
    conn: Connection, references: Sequence[LotReference], insurer_ids: Collection[int]
) -> list[frozenset[int]]:
    """For each reference, in order, the practitioners who had such a lot sent to one of these insurers."""
    found: defaultdict[tuple[str, str], set[tuple[str, int]]] = defaultdict(set)
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for one in references:
        numbers[one.lot_date].add(one.number)
    for date, some in numbers.items():
        statement = select(lots.c.number, lots.c.lot_date, lots.c.ps_number, lots.c.practitioner_id).where(
            lots.c.number.in_(some),
            lots.c.lot_date == date,
            lots.c.practitioner_id.is_not(None),
            lots.c.insurer_id.in_(insurer_ids),
        )
        for number, lot_date, ps_number, practitioner_id in conn.execute(statement.distinct()):
            found[number, lot_date].add((ps_number, practitioner_id))
    return [
        frozenset(
            practitioner_id
            for ps_number, practitioner_id in found[one.number, one.lot_date]
            if one.ps_number in {"", ps_number}
        )
        for one in references
    ]


def practitioners_of_invoices(
    conn: Connection, references: Sequence[InvoiceReference], insurer_ids: Collection[int]
) -> list[frozenset[int]]:
    """For each reference, in order, the practitioners who had such an invoice in such a lot sent to these insurers."""
    found: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
    named = {lot.id: lot for lot in _lots_named(conn, references, insurer_ids)}
    ids = list(named)
    for start in range(0, len(ids), _CHUNK):
        some = invoices.c.lot_id.in_(ids[start : start + _CHUNK])
        for number, lot_id in conn.execute(select(invoices.c.number, invoices.c.lot_id).where(some)):
            lot = named[lot_id]
            found[number, lot.number, lot.lot_date].add(lot.practitioner_id)
    return [frozenset(found[one.number, one.lot_number, one.lot_date]) for one in references]


def _lots_named(
    conn: Connection, references: Sequence[InvoiceReference], insurer_ids: Collection[int]
) -> list[Row[tuple[int, str, str, int]]]:
    """The lots of these numbers and dates. Lots first: every practitioner numbers its invoices alike, from 1 on."""
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for one in references:
        numbers[one.lot_date].add(one.lot_number)
    named: list[Row[tuple[int, str, str, int]]] = []
    for date, some in numbers.items():
        statement = select(lots.c.id, lots.c.number, lots.c.lot_date, lots.c.practitioner_id).where(
            lots.c.number.in_(some),
            lots.c.lot_date == date,
            lots.c.practitioner_id.is_not(None),
            lots.c.insurer_id.in_(insurer_ids),
        )
        named += conn.execute(statement)
    return named


def answered(conn: Connection, message_uids: Sequence[str], compostages: Sequence[str]) -> Answered:
    """The sendings to insurers that bear one of these Message-IDs (In-Reply-To, References) or compostages
    (Subject)."""
    ours = conn.execute(
        select(consignments.c.id, messages.c.practitioner_id)
        .join(messages, messages.c.id == consignments.c.message_id)
        .where(
            or_(
                consignments.c.message_uid.in_([uid for uid in message_uids if uid]),
                consignments.c.compostage.in_([compostage for compostage in compostages if compostage]),
            ),
            consignments.c.insurer_id.is_not(None),
        )
    ).all()
    ids = frozenset(row.id for row in ours)
    carried = conn.execute(select(lots.c.id, lots.c.practitioner_id).where(lots.c.consignment_id.in_(ids))).all()
    return Answered(
        consignment_ids=ids,
        practitioner_ids=frozenset(row.practitioner_id for row in (*ours, *carried) if row.practitioner_id is not None),
        lot_ids=frozenset(row.id for row in carried),
    )
