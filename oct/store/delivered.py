"""What the database is told of deliveries: the other side has them, the lots that they carry have left, and the trace
says so.

On PostgreSQL that is one statement, which begins and ends its transaction by itself (`Store.at_once`): the couriers,
who all wait for it, would else wait for five answers of a server that may be another machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, update

from oct.domain.journey import ConsignmentState, LotState
from oct.store import consignments, leases, lots
from oct.store.events import EventRow, append_rows
from oct.store.rows import update_and_insert, update_rows
from oct.store.tables import consignments as table
from oct.store.tables import events


class Delivered(NamedTuple):
    """A consignment (id) that `owner` has leased and that the other side took at `at` (ms), with `reply`."""

    row: int
    holder: str
    at: int
    told: str


_HELD = leases.holding(table)
_DELIVERED = (
    update(table)
    .where(table.c.id == bindparam("row"), table.c.lease_owner == bindparam("holder"))
    .values(
        state=ConsignmentState.DELIVERED,
        delivered_at=bindparam("at"),
        reply=bindparam("told"),
        stalled_at=None,
        due_at=None,
        lease_owner=None,
        lease_until=None,
    )
)


def tell(conn: Connection, deliveries: Sequence[Delivered], traced: Sequence[EventRow]) -> bool:
    """Keeps deliveries and their events. False when one of their leases was lost, and then the whole transaction must
    be given up: on PostgreSQL nothing was written, on SQLite something may have been."""
    told = [one._replace(told=one.told[: consignments.REPLY])._asdict() for one in sorted(deliveries)]
    left = lots.leaving({one.row: one.at for one in deliveries}, LotState.DELIVERED)
    if conn.dialect.name == "postgresql":
        held = [{"row": one["row"], "holder": one["holder"]} for one in told]
        changes = [(_DELIVERED, told), (lots.CARRIED, left)]
        return update_and_insert(conn, _HELD, held, changes, events, EventRow._fields, traced)
    if update_rows(conn, _DELIVERED, told) < len(told):
        return False
    update_rows(conn, lots.CARRIED, left)
    append_rows(conn, traced)
    return True
