"""Queues in tables: due rows, claimed by lease.

A row waits while `due_at` is not NULL. Claiming it writes an owner and an end of lease; whoever claims must be alone
with its name, and every later write of the claimant names it again, so a worker that lost its lease changes nothing.
A lease past its end counts for nothing: its holder died, or was too slow. The owner's name stays on a row that was
left so: whoever claims it next can see that somebody began and did not end.

SQLite has one writer at a time; PostgreSQL has many, who step over each other's rows (SKIP LOCKED), but not over one
that an event is just being written about: such a reference locks the key alone (FOR NO KEY UPDATE passes by it).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    Table,
    Update,
    bindparam,
    or_,
    select,
    update,
)


class LeaseLostError(Exception):
    """Somebody else works on one of them by now: nothing of the transaction is to be written."""


NOW = bindparam("now", type_=BigInteger)
_UNTIL = bindparam("until", type_=BigInteger)
_OWNER = bindparam("owner", type_=String)
_LIMIT = bindparam("limit", type_=Integer)


def free(table: Table) -> ColumnElement[bool]:
    """Due at `now`, and nobody works on it."""
    return (table.c.due_at <= NOW) & or_(table.c.lease_until.is_(None), table.c.lease_until < NOW)


def claiming(table: Table, chosen: Select[Any], attempts: ColumnElement[int]) -> Update:
    """The UPDATE that leases the rows whose ids `chosen` selects, oldest first, at most `limit`; counts `attempts`.

    A named subquery that locks is computed once; inside IN, PostgreSQL may run it again and go past the limit.
    """
    wanted = chosen.order_by(table.c.due_at, table.c.id).limit(_LIMIT)
    oldest = wanted.with_for_update(skip_locked=True, key_share=True).cte("oldest")
    return (
        update(table)
        .where(table.c.id.in_(oldest.select()))
        .values(attempts=attempts, lease_owner=_OWNER, lease_until=_UNTIL)
    )


def settle(conn: Connection, table: Table, row_id: int, owner: str, **fields: Any) -> bool:
    """Write the outcome and give the lease back; False, and nothing written, when the lease is no longer `owner`'s."""
    return conn.execute(_settling(table, tuple(fields)), {"row": row_id, "holder": owner, **fields}).rowcount == 1


def still_held(conn: Connection, table: Table, owners: Mapping[int, str]) -> set[int]:
    """Which of these rows (ids) are still leased by these owners, and stay so until the transaction ends."""
    found = conn.execute(_holders(table), {"ids": list(owners)})
    return {row.id for row in found if owners[row.id] == row.lease_owner}


def holding(table: Table) -> Select[tuple[int]]:
    """Locks a row (`row`) that an owner (`holder`) has leased still, and gives its id."""
    held = (table.c.id == bindparam("row")) & (table.c.lease_owner == bindparam("holder"))
    return select(table.c.id).where(held).order_by(table.c.id).with_for_update(key_share=True, of=table)


@cache
def _holders(table: Table) -> Select[tuple[int, str]]:
    named = table.c.id.in_(bindparam("ids", expanding=True))
    return select(table.c.id, table.c.lease_owner).where(named).order_by(table.c.id).with_for_update(key_share=True)


@cache
def _settling(table: Table, fields: tuple[str, ...]) -> Update:
    return (
        update(table)
        .where(table.c.id == bindparam("row"), table.c.lease_owner == bindparam("holder"))
        .values(lease_owner=None, lease_until=None, **{name: bindparam(name) for name in fields})
    )


def release(conn: Connection, table: Table, owner_prefix: str) -> int:
    """End the leases of owners that died, known by the start of their names; how many there were."""
    held = table.c.due_at.is_not(None) & table.c.lease_until.is_not(None)
    done = conn.execute(
        update(table)
        .where(held, table.c.lease_owner.startswith(owner_prefix, autoescape=True))
        .values(lease_until=None)
    )
    return done.rowcount


def give_back(conn: Connection, table: Table, owner: str, but: Collection[int]) -> None:
    """End a claim, except of these rows, as if it had never been: who claims them next sees nothing of it."""
    left = (table.c.lease_owner == owner) & table.c.id.not_in(but)
    conn.execute(update(table).where(left).values(lease_owner=None, lease_until=None))


def holders(conn: Connection, table: Table, owner_prefix: str) -> list[str]:
    """The owners of unfinished claims whose names begin so."""
    held = table.c.due_at.is_not(None) & table.c.lease_until.is_not(None)
    owner = table.c.lease_owner
    found = select(owner).where(held, owner.startswith(owner_prefix, autoescape=True)).distinct()
    return list(conn.execute(found).scalars())
