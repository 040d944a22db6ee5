"""Named counters (`sequences`): blocks of numbers, and the version of the directory."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from oct.store.conflicts import inserting
from oct.store.tables import sequences

_DIRECTORY = "directory"
_VALUE = select(sequences.c.value).where(sequences.c.name == bindparam("counter"))


def advance(conn: Connection, name: str, by: int = 1) -> int:
    """Add `by` to the counter, which starts at 0, and give its new value. Others wait until the transaction ends."""
    statement = inserting(conn, sequences).values(name=name, value=by)
    value = conn.execute(
        statement.on_conflict_do_update(
            index_elements=[sequences.c.name], set_={"value": sequences.c.value + statement.excluded.value}
        ).returning(sequences.c.value)
    ).scalar_one()
    return int(value)


def value(conn: Connection, name: str) -> int:
    """The counter as it is."""
    return conn.execute(_VALUE, {"counter": name}).scalar_one_or_none() or 0


def directory_version(conn: Connection) -> int:
    """A number that grows with every change to practitioners, insurers, caisses or certificates: a cache that was
    loaded at another number is stale."""
    return value(conn, _DIRECTORY)


def directory_changed(conn: Connection) -> None:
    """Say that the directory changed, in the transaction that changes it."""
    advance(conn, _DIRECTORY)
