"""What the database is told of deliveries: the other side has them, the lots that they carry have left, and the trace
says so.

On PostgreSQL that is one statement, which begins and ends its transaction by itself (`Store.at_once`): the couriers,
who all wait for it, would else wait for five answers of a server that may be another machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, update

from oct.domain.journey import ConsignmentState, LotState
from oct.store import consignments, leases, lots
from oct.store.events import EventRow, append_rows
from oct.store.rows import update_and_insert, update_rows
from oct.store.slips import Slip
from oct.store.tables import consignments as table
from oct.store.tables import events

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


def tell(conn: Connection, deliveries: Sequence[Slip], traced: Sequence[EventRow]) -> bool:
    """Keeps deliveries, be they on slips or not, and their events. False when one of their leases was lost, and then
    the whole transaction must be given up: on PostgreSQL nothing was written, on SQLite something may have been."""
    in_order = sorted(deliveries, key=lambda one: one.consignment)
    held = [{"row": one.consignment, "holder": one.owner} for one in in_order]
    told = [
        {**lease, "at": one.at, "told": one.reply[: consignments.REPLY]}
        for lease, one in zip(held, in_order, strict=True)
    ]
    left = lots.leaving({one.consignment: one.at for one in deliveries}, LotState.DELIVERED)
    if conn.dialect.name == "postgresql":
        return update_and_insert(
            conn, [(_HELD, held), (_DELIVERED, told), (lots.CARRIED, left)], events, EventRow._fields, traced
        )
    if update_rows(conn, _DELIVERED, told) < len(told):
        return False
    update_rows(conn, lots.CARRIED, left)
    append_rows(conn, traced)
    return True
