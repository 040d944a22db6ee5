"""The log itself, by place: sealed events, signed heads, and who read what (J2, J3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from oct.store.browse.paging import Page, read_page
from oct.store.events import READING, Event, from_row, revealed
from oct.store.rows import columns
from oct.store.tables import event_details, event_leaves, events, messages, tree_heads
from oct.trace.verify import TreeHead

_FIELDS = (events.c.id, event_leaves.c.seq, messages.c.trace, *columns(events, Event), event_details.c.content)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with its place in the log (None until it is sealed) and the trace number of its message; `event` is
    None where somebody took it out of the database."""

    seq: int | None
    trace: str
    event: Event | None


def sealed_page(conn: Connection, cursor: str = "") -> Page[LoggedEvent]:
    """Sealed events, the last of the log first."""
    statement = (
        select(*_FIELDS)
        .select_from(event_leaves.outerjoin(events).outerjoin(event_details).outerjoin(messages))
    )  # fmt: skip
    return read_page(conn, statement, [event_leaves.c.seq], cursor, _logged)


def readings_page(conn: Connection, cursor: str = "") -> Page[LoggedEvent]:
    """Who read what, the last first: sealed or not."""
    statement = (
        select(*_FIELDS)
        .select_from(events.outerjoin(event_details).outerjoin(event_leaves).outerjoin(messages))
        .where(events.c.kind == literal_column(f"'{READING}'"))
    )  # fmt: skip
    return read_page(conn, statement, [events.c.id], cursor, _logged)


def heads_page(conn: Connection, cursor: str = "") -> Page[TreeHead]:
    """Signed heads, the newest first."""
    return read_page(conn, select(*columns(tree_heads, TreeHead)), [tree_heads.c.size], cursor, TreeHead)


def at_place(conn: Connection, seq: int) -> LoggedEvent | None:
    """The sealed event of a place."""
    statement = (
        select(*_FIELDS)
        .select_from(event_leaves.outerjoin(events).outerjoin(event_details).outerjoin(messages))
        .where(event_leaves.c.seq == seq)
    )  # fmt: skip
    row = conn.execute(statement).one_or_none()
    return None if row is None else _logged(*row)


def waiting(conn: Connection) -> int:
    """How many events came after the last sealed one."""
    last = select(func.coalesce(func.max(event_leaves.c.seq), -1)).scalar_subquery()
    sealed = select(event_leaves.c.event_id).where(event_leaves.c.seq == last).scalar_subquery()
    return conn.execute(
        select(func.count()).select_from(events).where(events.c.id > func.coalesce(sealed, 0))
    ).scalar_one()


def _logged(event_id: int | None, seq: int | None, trace: str | None, *fields: Any) -> LoggedEvent:
    *told, detail = fields
    return LoggedEvent(seq, trace or "", None if event_id is None else revealed(from_row(told), detail))
