"""What waits for a person (L6, R2, O3): why, which bytes, and what was decided, once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update

from oct.store.rows import columns, values
from oct.store.tables import holds


class HoldSubject(StrEnum):
    """What is held: a message nothing could be decided of, a finished file that lacks only its sealing or its
    addressee, lots that lack their addressee, a consignment that could not be delivered, or a return."""

    MESSAGE = "message"
    FILE = "file"
    LOT = "lot"
    CONSIGNMENT = "consignment"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class NewHold:
    """Something to hold. `sentence` is French and may be shown; `payload_id` the bytes that wait, unless they are a
    consignment; `insurer_id` where they would go, when that is known."""

    opened_at: int
    subject: HoldSubject
    message_id: int
    code: str
    sentence: str
    consignment_id: int | None = None
    return_id: int | None = None
    payload_id: int | None = None
    insurer_id: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that is kept; open while `closed_at` is None."""

    id: int
    opened_at: int
    subject: str
    message_id: int
    code: str
    sentence: str
    consignment_id: int | None
    return_id: int | None
    payload_id: int | None
    insurer_id: int | None
    closed_at: int | None
    decision: str


_COLUMNS = columns(holds, Hold)


def open_hold(conn: Connection, hold: NewHold) -> int:
    """Hold something; the id of the hold."""
    return int(conn.execute(insert(holds).returning(holds.c.id), values(hold)).scalar_one())


def list_open(
    conn: Connection, *, subject: HoldSubject | None = None, code: str | None = None, limit: int = 100, after: int = 0
) -> list[Hold]:
    """The open holds, the oldest first: of one subject or one code when given, from the one after id `after`."""
    statement = select(*_COLUMNS).where(holds.c.closed_at.is_(None), holds.c.id > after)
    if subject is not None:
        statement = statement.where(holds.c.subject == subject)
    if code is not None:
        statement = statement.where(holds.c.code == code)
    return [Hold(*row) for row in conn.execute(statement.order_by(holds.c.id).limit(limit))]


def by_id(conn: Connection, hold_id: int) -> Hold | None:
    """The hold of an id, open or closed."""
    row = conn.execute(select(*_COLUMNS).where(holds.c.id == hold_id)).one_or_none()
    return None if row is None else Hold(*row)


def of_consignment(conn: Connection, consignment_id: int) -> list[Hold]:
    """The open holds in which a consignment waits."""
    is_open = holds.c.closed_at.is_(None)
    rows = conn.execute(select(*_COLUMNS).where(holds.c.consignment_id == consignment_id, is_open))
    return [Hold(*row) for row in rows]


def close(conn: Connection, hold_id: int, decision: str, now: int) -> bool:
    """Close a hold with what was decided. False when it is closed already: then nothing may be done of it."""
    done = conn.execute(
        update(holds).where(holds.c.id == hold_id, holds.c.closed_at.is_(None)).values(closed_at=now, decision=decision)
    )
    return done.rowcount == 1
