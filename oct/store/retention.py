"""What has been kept for long enough (T3): messages whose payloads may go, details of readings, the oldest events and
the invoices of their time.

The payloads of a message go together, once all about it is over: it was processed or refused, nothing of it waits, is
held, is gathering, or lies unfetched in a hosted mailbox; and its last delivery, and the last word on each of its lots,
are older than a limit. An ARL that went out again belongs to two messages under one Message-ID: both count. Increments
of the opposition list are never among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    union,
    update,
)

from oct.domain.journey import AWAITING, ConsignmentState, LotState, MessageState
from oct.store import counters
from oct.store.tables import (
    consignments,
    event_details,
    event_leaves,
    events,
    holds,
    invoices,
    lots,
    mailbox_items,
    messages,
    payloads,
    tree_heads,
)

_OTHER = consignments.alias("other")
_EMPTIED = "purge:journal"
_FORGOTTEN = "purge:acces"
"""The counters of places before which all is gone."""
_UNBILLED = "purge:factures"
"""The counter of the id of the message up to which invoices went with the events of their time."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A message whose payloads may go. `received_at` in ms."""

    id: int
    received_at: int


# Payloads ----------------------------------------------------------------------------------------------------


def ended(conn: Connection, before: int, unanswered: int, after: Ended | None, limit: int) -> list[Ended]:
    """Up to `limit` messages over since `before` (ms), the oldest first, those after another. A lot that nobody
    answered counts from `unanswered`."""
    statement = select(messages.c.id, messages.c.received_at).where(
        messages.c.purged_at.is_(None),
        messages.c.received_at < before,
        messages.c.state.in_((MessageState.PROCESSED, MessageState.REFUSED)),
        messages.c.due_at.is_(None),
        func.coalesce(messages.c.ended_at, messages.c.received_at) < before,
        ~exists().where(holds.c.message_id == messages.c.id, holds.c.closed_at.is_(None)),
        ~exists().where(lots.c.message_id == messages.c.id, _unsettled(before, unanswered)),
        ~_moving(before),
        ~_in_a_mailbox(before),
    )
    if after is not None:
        here = messages.c.received_at == after.received_at
        statement = statement.where(
            or_(messages.c.received_at > after.received_at, and_(here, messages.c.id > after.id))
        )
    rows = conn.execute(statement.order_by(messages.c.received_at, messages.c.id).limit(limit))
    return [Ended(*row) for row in rows]


def _unsettled(before: int, unanswered: int) -> ColumnElement[bool]:
    return or_(
        lots.c.state.in_((LotState.RECEIVED, LotState.HELD)),
        and_(lots.c.state.in_(AWAITING), lots.c.state_at >= unanswered),
        and_(lots.c.state.not_in(AWAITING), lots.c.state_at >= before),
    )


def _moving(before: int) -> ColumnElement[bool]:
    """Whether something of the message, or the same bytes of another, still moves or was delivered lately."""
    own = consignments.c.message_id == messages.c.id
    same = and_(consignments.c.message_uid != "", _OTHER.c.message_uid == consignments.c.message_uid)
    return or_(exists().where(own, _waits(consignments, before)), exists().where(own, same, _waits(_OTHER, before)))


def _waits(sent: FromClause, before: int) -> ColumnElement[bool]:
    return or_(
        sent.c.state.in_((ConsignmentState.GATHERING, ConsignmentState.WAITING)),
        func.coalesce(sent.c.delivered_at, sent.c.created_at) >= before,
        exists().where(holds.c.consignment_id == sent.c.id, holds.c.closed_at.is_(None)),
    )


def _in_a_mailbox(before: int) -> ColumnElement[bool]:
    unread = and_(mailbox_items.c.fetched_at.is_(None), mailbox_items.c.hidden_at.is_(None))
    return exists().where(
        consignments.c.message_id == messages.c.id,
        mailbox_items.c.consignment_id == consignments.c.id,
        or_(unread, mailbox_items.c.fetched_at >= before),
    )


def destroy_payloads(conn: Connection, message_ids: Sequence[int], now: int) -> int:
    """Destroys every payload of these messages, hides them in hosted mailboxes; how many payloads."""
    own = (
        select(messages.c.payload_id).where(messages.c.id.in_(message_ids)),
        select(consignments.c.payload_id).where(consignments.c.message_id.in_(message_ids)),
        select(holds.c.payload_id).where(holds.c.message_id.in_(message_ids), holds.c.payload_id.is_not(None)),
    )
    done = conn.execute(
        update(payloads)
        .where(payloads.c.id.in_(union(*own)), payloads.c.destroyed_at.is_(None))
        .values(wrapped_key=None, content=None, destroyed_at=now)
    )
    sent = select(consignments.c.id).where(consignments.c.message_id.in_(message_ids))
    items = mailbox_items.c
    conn.execute(
        update(mailbox_items).where(items.consignment_id.in_(sent), items.hidden_at.is_(None)).values(hidden_at=now)
    )
    conn.execute(update(messages).where(messages.c.id.in_(message_ids)).values(purged_at=now))
    return done.rowcount


# Invoices ----------------------------------------------------------------------------------------------------


def received_before(conn: Connection, at: int) -> int:
    """The id of the last message received before an instant (ms): ids follow the order of arrival. 0 for none."""
    older = select(messages.c.id).where(messages.c.received_at < at).order_by(messages.c.received_at.desc()).limit(1)
    return conn.execute(older).scalar() or 0


def unbilled(conn: Connection) -> int:
    """The id of the message up to which no invoice is kept, but of messages whose payloads are."""
    return counters.value(conn, _UNBILLED)


def unbill(conn: Connection, after: int, upto: int) -> int:
    """Removes the invoices of messages of ids above `after` up to `upto`, whose payloads went; how many invoices."""
    counters.advance(conn, _UNBILLED, upto - after)
    return _remove_invoices(conn, messages.c.id > after, messages.c.id <= upto, messages.c.purged_at.is_not(None))


def unbill_message(conn: Connection, message_id: int) -> int:
    """Removes the invoices of one message; how many. Its lots keep the sums."""
    return _remove_invoices(conn, messages.c.id == message_id)


def _remove_invoices(conn: Connection, *of: ColumnElement[bool]) -> int:
    some = select(lots.c.id).join(messages, messages.c.id == lots.c.message_id).where(*of)
    return conn.execute(delete(invoices).where(invoices.c.lot_id.in_(some))).rowcount


# The journal -------------------------------------------------------------------------------------------------


def sealed_before(conn: Connection, at: int) -> int:
    """The size of the last head that was signed before an instant (ms): all under it is older."""
    newest = select(tree_heads.c.size).where(tree_heads.c.at < at).order_by(tree_heads.c.at.desc()).limit(1)
    return conn.execute(newest).scalar() or 0


def emptied(conn: Connection) -> int:
    """The place before which events have been emptied."""
    return counters.value(conn, _EMPTIED)


def forgotten(conn: Connection) -> int:
    """The place before which the details of readings have been removed."""
    return counters.value(conn, _FORGOTTEN)


def empty(conn: Connection, first: int, before: int) -> int:
    """Empties the events of places from `first` to below `before`; how many. The database refuses it of less than a
    year; on PostgreSQL a function of its owner does it."""
    counters.advance(conn, _EMPTIED, before - first)
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT empty_events(:first, :before)"), {"first": first, "before": before})
        return before - first
    texts = dict.fromkeys(("kind", "outcome", "actor", "data"), "")
    references = dict.fromkeys(("message_id", "consignment_id", "return_id", "practitioner_id", "insurer_id"))
    done = conn.execute(update(events).where(events.c.id.in_(_places(first, before))).values(**texts, **references))
    return done.rowcount


def forget(conn: Connection, first: int, before: int) -> int:
    """Removes the details of readings at places from `first` to below `before`; how many. The database refuses it of
    less than 30 days."""
    counters.advance(conn, _FORGOTTEN, before - first)
    return conn.execute(delete(event_details).where(event_details.c.event_id.in_(_places(first, before)))).rowcount


def _places(first: int, before: int) -> Select[tuple[int]]:
    return select(event_leaves.c.event_id).where(event_leaves.c.seq >= first, event_leaves.c.seq < before)
