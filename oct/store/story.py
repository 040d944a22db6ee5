"""Everything that is known of one message, read in one transaction: what `oct trace show` and the console tell (J1).

Rows only, never a payload.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Row, Table, select, union

from oct.store import events, files, lots, messages, returns
from oct.store.consignments import Consignment
from oct.store.events import Event
from oct.store.files import StoredFile
from oct.store.holds import Hold
from oct.store.lots import Invoice, Lot
from oct.store.messages import Message
from oct.store.returns import LotAnswer, Return
from oct.store.rows import columns
from oct.store.tables import consignments as consignment_table
from oct.store.tables import holds as hold_table
from oct.store.tables import lots as lot_table
from oct.store.tables import return_lots
from oct.store.tables import returns as return_table


@dataclass(frozen=True, slots=True)
class Story:
    """A message, what came of it, and what answered it. Lists are in order of time; `invoices` by lot id.

    `returns` are those that this message brought and those that answer its lots, `progress` where they stand by id.
    """

    message: Message
    files: tuple[StoredFile, ...]
    lots: tuple[Lot, ...]
    invoices: dict[int, list[Invoice]]
    consignments: tuple[Consignment, ...]
    holds: tuple[Hold, ...]
    returns: tuple[tuple[Return, list[LotAnswer]], ...]
    progress: dict[int, str]
    events: tuple[Event, ...]


def tell(conn: Connection, message_id: int) -> Story | None:
    """The story of a message, None when there is no such message."""
    message = messages.by_id(conn, message_id)
    if message is None:
        return None
    carried, answering = lots.of_message(conn, message_id), _returns(conn, message_id)
    return Story(
        message=message,
        files=tuple(files.of_message(conn, message_id)),
        lots=tuple(carried),
        invoices={lot.id: lots.invoices_of(conn, lot.id) for lot in carried},
        consignments=tuple(_consignments(conn, message_id)),
        holds=tuple(_holds(conn, message_id)),
        returns=tuple((one, returns.answers_of(conn, one.id)) for one in answering),
        progress=returns.progress(conn, answering),
        events=tuple(events.of_message(conn, message_id)),
    )


def _consignments(conn: Connection, message_id: int) -> list[Consignment]:
    """What it gave rise to, and what its lots left in together with those of others (A15)."""
    carrying = select(lot_table.c.consignment_id).where(lot_table.c.message_id == message_id)
    own = select(consignment_table.c.id).where(consignment_table.c.message_id == message_id)
    rows = _of_ids(conn, consignment_table, Consignment, union(own, carrying))
    return [Consignment(*row) for row in rows]


def _holds(conn: Connection, message_id: int) -> list[Hold]:
    statement = select(*columns(hold_table, Hold)).where(hold_table.c.message_id == message_id)
    return [Hold(*row) for row in conn.execute(statement.order_by(hold_table.c.id))]


def _returns(conn: Connection, message_id: int) -> list[Return]:
    answering = (
        select(return_lots.c.return_id)
        .join(lot_table, lot_table.c.id == return_lots.c.lot_id)
        .where(lot_table.c.message_id == message_id)
    )
    brought = select(return_table.c.id).where(return_table.c.message_id == message_id)
    return [Return(*row) for row in _of_ids(conn, return_table, Return, union(brought, answering))]


def _of_ids(
    conn: Connection, table: Table, kind: type[Any], ids: CompoundSelect[int]
) -> Iterable[Row[*tuple[Any, ...]]]:
    """The rows of these ids, in order. PostgreSQL reads the whole table for `message_id = … OR id IN (…)`."""
    some = [one for one in conn.execute(ids).scalars() if one is not None]
    return conn.execute(select(*columns(table, kind)).where(table.c.id.in_(some)).order_by(table.c.id)) if some else ()
