"""Hosted mailboxes: what waits for a practitioner, what was fetched, and who reads a mailbox now (R5, P6).

An item points at a payload, the whole message as it would have been sent by SMTP. Deleting by POP hides the item from
the mailbox and leaves the payload alone, so that any return can be put back until its retention ends (R6). Every
function that writes also writes its event, in the caller's transaction.

A mailbox has one reader at a time, over all processes: a row with the reader's name and an end, which the reader moves
on while it lives. A lock past its end counts for nothing: its reader died.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, case, delete, exists, func, select, update

from oct.store import events
from oct.store.conflicts import inserting
from oct.store.events import Event
from oct.store.rows import columns
from oct.store.tables import consignments, payloads
from oct.store.tables import mailbox_items as items
from oct.store.tables import mailbox_locks as locks


@dataclass(frozen=True, slots=True)
class MailboxItem:
    """A message in a mailbox. `uid` is its UIDL, `size` its octets as served before dot-stuffing; instants are ms."""

    id: int
    payload_id: int
    uid: str
    size: int
    arrived_at: int
    fetched_at: int | None


@dataclass(frozen=True, slots=True)
class MailboxCounts:
    """What a mailbox holds: visible items and their octets, those among them never fetched, and hidden ones."""

    visible: int
    octets: int
    unfetched: int
    hidden: int


_ITEM = columns(items, MailboxItem)
_VISIBLE = items.c.hidden_at.is_(None)


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


_COUNTS = (
    _number(_VISIBLE),
    func.coalesce(func.sum(case((_VISIBLE, items.c.size), else_=0)), 0),
    _number(_VISIBLE & items.c.fetched_at.is_(None)),
    _number(~_VISIBLE),
)


def deposit(
    conn: Connection, practitioner_id: int, payload_id: int, consignment_id: int | None, size: int, now: int
) -> int:
    """Put a message into a mailbox; the id of the item. `size` is that of the message, its lines ended by CRLF.

    A consignment is deposited once: repeating it gives the item that is there, hidden or not.
    """
    statement = inserting(conn, items).values(
        practitioner_id=practitioner_id,
        payload_id=payload_id,
        consignment_id=consignment_id,
        uid=_uid(now, payload_id, consignment_id),
        size=size,
        arrived_at=now,
    )
    done = conn.execute(
        statement.on_conflict_do_nothing(index_elements=[items.c.consignment_id]).returning(items.c.id)
    ).scalar_one_or_none()
    if done is None:
        done = conn.execute(select(items.c.id).where(items.c.consignment_id == consignment_id)).scalar_one()
    return int(done)


def listing(conn: Connection, practitioner_id: int) -> list[MailboxItem]:
    """What the mailbox shows, in order of arrival; what is past its retention shows no more."""
    rows = conn.execute(
        select(*_ITEM)
        .join(payloads, payloads.c.id == items.c.payload_id)
        .where(
            items.c.practitioner_id == practitioner_id, items.c.hidden_at.is_(None), payloads.c.destroyed_at.is_(None)
        )
        .order_by(items.c.id)
    )
    return [MailboxItem(*row) for row in rows]


def mark_fetched(conn: Connection, practitioner_id: int, item_ids: Collection[int], now: int) -> int:
    """Write down that these items of the practitioner were read (event `releve`); how many. `fetched_at` keeps the
    first time, the trace has them all."""
    return _mark(conn, practitioner_id, item_ids, "releve", now, {"fetched_at": func.coalesce(items.c.fetched_at, now)})


def hide(conn: Connection, practitioner_id: int, item_ids: Collection[int], now: int) -> int:
    """Take visible items out of the practitioner's mailbox (event `efface`); how many."""
    return _mark(conn, practitioner_id, item_ids, "efface", now, {"hidden_at": now}, items.c.hidden_at.is_(None))


def take_back(conn: Connection, practitioner_id: int, now: int) -> list[int]:
    """Hide what was deposited and never fetched, because it goes elsewhere (event `repris`); its consignments.

    A reader who is at it keeps what he listed and may read it to the end: that much may reach him twice, never not.
    """
    kept = exists().where(payloads.c.id == items.c.payload_id, payloads.c.destroyed_at.is_(None))
    taken = conn.execute(
        update(items)
        .where(
            items.c.practitioner_id == practitioner_id,
            items.c.hidden_at.is_(None),
            items.c.fetched_at.is_(None),
            items.c.consignment_id.is_not(None),
            kept,
        )
        .values(hidden_at=now)
        .returning(items.c.id, items.c.consignment_id)
    ).all()
    _tell(conn, practitioner_id, [row.id for row in taken], "repris", now)
    return sorted(row.consignment_id for row in taken)


def show_again(conn: Connection, consignment_id: int, now: int) -> bool:
    """Put an item back as if it had just arrived; False when there is none of this consignment.

    It gets a new UIDL, or a program that keeps a list of what it has read would pass it by.
    """
    row = conn.execute(
        select(items.c.id, items.c.payload_id).where(items.c.consignment_id == consignment_id)
    ).one_or_none()
    if row is None:
        return False
    fresh = {"uid": _uid(now, row.payload_id, consignment_id), "hidden_at": None, "fetched_at": None, "arrived_at": now}
    conn.execute(update(items).where(items.c.id == row.id).values(fresh))
    return True


def counts(conn: Connection, practitioner_id: int) -> MailboxCounts:
    """What the practitioner's mailbox holds."""
    row = conn.execute(select(*_COUNTS).where(items.c.practitioner_id == practitioner_id)).one()
    return MailboxCounts(*(int(value) for value in row))


def all_counts(conn: Connection) -> dict[int, MailboxCounts]:
    """What each mailbox that was ever used holds, by practitioner."""
    rows = conn.execute(select(items.c.practitioner_id, *_COUNTS).group_by(items.c.practitioner_id))
    return {owner: MailboxCounts(*(int(value) for value in held)) for owner, *held in rows}


def try_lock(conn: Connection, practitioner_id: int, owner: str, now: int, until: int) -> bool:
    """Become the only reader of a mailbox up to `until`; False when somebody else is. `owner` must be unique."""
    statement = inserting(conn, locks).values(practitioner_id=practitioner_id, owner=owner, until=until)
    taken = conn.execute(
        statement.on_conflict_do_update(
            index_elements=[locks.c.practitioner_id],
            set_={"owner": statement.excluded.owner, "until": statement.excluded.until},
            where=locks.c.until < now,
        ).returning(locks.c.owner)
    ).scalar_one_or_none()
    return taken is not None


def renew(conn: Connection, owners: Collection[str], until: int) -> None:
    """Move the end of these readers' locks."""
    conn.execute(update(locks).where(locks.c.owner.in_(owners)).values(until=until))


def unlock(conn: Connection, practitioner_id: int, owner: str) -> bool:
    """Give the mailbox back; False when the lock was somebody else's by then."""
    mine = (locks.c.practitioner_id == practitioner_id) & (locks.c.owner == owner)
    return conn.execute(delete(locks).where(mine)).rowcount == 1


def release_locks(conn: Connection, owner_prefix: str) -> int:
    """Give back the locks of a process that died, known by the start of its readers' names; how many."""
    return conn.execute(delete(locks).where(locks.c.owner.startswith(owner_prefix, autoescape=True))).rowcount


def _uid(now: int, payload_id: int, consignment_id: int | None) -> str:
    """The instant keeps a number that a restored backup gives again from meaning two messages (RFC 1939, 7); one
    payload may leave in several consignments."""
    return f"{now:x}.{payload_id:x}.{consignment_id or 0:x}"


def _mark(
    conn: Connection,
    practitioner_id: int,
    item_ids: Collection[int],
    kind: str,
    now: int,
    fields: dict[str, Any],
    *conditions: ColumnElement[bool],
) -> int:
    own = (items.c.practitioner_id == practitioner_id, items.c.id.in_(item_ids), *conditions)
    marked = conn.execute(update(items).where(*own).values(fields).returning(items.c.id)).scalars().all()
    _tell(conn, practitioner_id, marked, kind, now)
    return len(marked)


def _tell(conn: Connection, practitioner_id: int, item_ids: Collection[int], kind: str, now: int) -> None:
    """One event for each item, under the message and the consignment that it came from."""
    rows = conn.execute(
        select(items.c.id, items.c.uid, items.c.consignment_id, consignments.c.message_id, payloads.c.sha256)
        .join(payloads, payloads.c.id == items.c.payload_id)
        .outerjoin(consignments, consignments.c.id == items.c.consignment_id)
        .where(items.c.id.in_(item_ids))
        .order_by(items.c.id)
    )
    events.append(conn, [_event(row, practitioner_id, kind, now) for row in rows.mappings()])


def _event(row: RowMapping, practitioner_id: int, kind: str, now: int) -> Event:
    return Event(
        at=now,
        kind=kind,
        outcome="fait",
        message_id=row["message_id"],
        consignment_id=row["consignment_id"],
        practitioner_id=practitioner_id,
        data={"depot": row["id"], "uidl": row["uid"], "sha256": row["sha256"].hex()},
    )
