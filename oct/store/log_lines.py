"""The canonical lines of sealed events, and what readings say: what bundles, proofs and the logbook are made of (T1).

Takes which events are meant (`Selection`) and up to which place of the log; gives them page by page, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, or_, select, true, tuple_

from oct.store.tables import consignments, event_details, event_leaves, events, messages, returns
from oct.trace.canonical import canonical

_PAGE = 5000
FIELDS = (
    events.c.actor,
    events.c.at,
    events.c.consignment_id.label("consignment"),
    events.c.data,
    events.c.id,
    events.c.insurer_id.label("insurer"),
    events.c.kind,
    events.c.message_id.label("message"),
    events.c.outcome,
    events.c.practitioner_id.label("practitioner"),
    events.c.return_id.label("return"),
    messages.c.trace,
)
"""What the canonical line of an event is made of, besides `seq`, in the order that it has there: what is sorted already
is soon sorted."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events: of one practitioner's account, from `since` to before `until` (ms), of some messages, of some kinds
    (kind, outcome); None: all."""

    practitioner_id: int | None = None
    since: int | None = None
    until: int | None = None
    message_ids: tuple[int, ...] | None = None
    kinds: tuple[tuple[str, str], ...] | None = None


def lines(
    conn: Connection, end: int, selection: Selection = Selection(), first: int = 0
) -> Iterator[tuple[int, bytes]]:
    """The canonical lines of sealed events from `first` to below `end`, with their place; an empty line for an event
    that is gone or emptied (T3)."""
    if selection.message_ids is not None:
        yield from _lines_of_messages(conn, end, selection)
        return
    wanted, last = _wanted(selection), first - 1
    while rows := _sealed_page(conn, last, end, wanted):
        yield from ((row["seq"], _line(row)) for row in rows)
        last = rows[-1]["seq"]


def _lines_of_messages(conn: Connection, end: int, selection: Selection) -> Iterator[tuple[int, bytes]]:
    """From the messages to their places, for a walk along the log would read all of it."""
    statement = (
        select(event_leaves.c.seq, *FIELDS)
        .select_from(events.join(event_leaves).outerjoin(messages))
        .where(events.c.message_id.in_(selection.message_ids or ()), event_leaves.c.seq < end, _wanted(selection))
        .order_by(event_leaves.c.seq)
    )
    yield from ((row["seq"], _line(row)) for row in conn.execute(statement).mappings())


def details(conn: Connection, end: int, selection: Selection = Selection()) -> Iterator[tuple[int, str]]:
    """What the readings among these events say, as far as it is kept, with their places."""
    ids, last = selection.message_ids, -1
    statement = (
        select(event_leaves.c.seq, event_details.c.content)
        .select_from(event_details.join(events).join(event_leaves).outerjoin(messages))
        .where(event_leaves.c.seq < end, _wanted(selection), true() if ids is None else events.c.message_id.in_(ids))
        .order_by(event_leaves.c.seq)
        .limit(_PAGE)
    )
    while rows := conn.execute(statement.where(event_leaves.c.seq > last)).all():
        yield from ((row.seq, row.content) for row in rows)
        last = rows[-1].seq


def _sealed_page(conn: Connection, last: int, end: int, wanted: ColumnElement[bool]) -> Sequence[RowMapping]:
    statement = (
        select(event_leaves.c.seq, *FIELDS)
        .select_from(event_leaves.outerjoin(events).outerjoin(messages))
        .where(event_leaves.c.seq > last, event_leaves.c.seq < end, wanted)
        .order_by(event_leaves.c.seq)
        .limit(_PAGE)
    )
    return conn.execute(statement).mappings().all()


def _line(row: RowMapping) -> bytes:
    return canonical(row["seq"], dict(row)) if row["kind"] else b""


def _wanted(selection: Selection) -> ColumnElement[bool]:
    account = selection.practitioner_id
    conditions: list[ColumnElement[bool]] = [true()]
    if selection.since is not None:
        conditions.append(events.c.at >= selection.since)
    if selection.until is not None:
        conditions.append(events.c.at < selection.until)
    if account is not None:
        conditions.append(
            or_(
                events.c.practitioner_id == account,
                messages.c.practitioner_id == account,
                *(
                    reference.in_(select(table.c.id).where(table.c.practitioner_id == account))
                    for reference, table in ((events.c.consignment_id, consignments), (events.c.return_id, returns))
                ),
            )
        )
    if selection.kinds is not None:
        conditions.append(tuple_(events.c.kind, events.c.outcome).in_(selection.kinds))
    return and_(*conditions)
