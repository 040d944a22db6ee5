"""The tokens of the time stamping authority, each with the tree head that it dates (T1)."""

from __future__ import annotations

from collections.abc import Iterator, Set

from sqlalchemy import Connection, select

from oct.store.conflicts import inserting
from oct.store.tables import head_stamps, tree_heads


def put(conn: Connection, size: int, token: bytes, now: int) -> None:
    """Keep the token of the head of a size; the first one stays."""
    row = {"size": size, "at": now, "token": token}
    conn.execute(inserting(conn, head_stamps).values(row).on_conflict_do_nothing())


def last(conn: Connection) -> tuple[int, int]:
    """Size and instant (ms) of the newest head that has a token; zeros when none has."""
    newest = select(tree_heads.c.size, tree_heads.c.at).join(head_stamps).order_by(head_stamps.c.size.desc()).limit(1)
    row = conn.execute(newest).one_or_none()
    return (row.size, row.at) if row is not None else (0, 0)


def sizes(conn: Connection) -> frozenset[int]:
    """The sizes of the heads that have a token."""
    return frozenset(conn.execute(select(head_stamps.c.size)).scalars())


def tokens(conn: Connection, wanted: Set[int]) -> Iterator[tuple[int, bytes]]:
    """The tokens of the heads of these sizes, one by one."""
    for size in sorted(wanted):
        yield size, conn.execute(select(head_stamps.c.token).where(head_stamps.c.size == size)).scalar_one()
