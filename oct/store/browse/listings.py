"""The lists of the console: messages, lots, what leaves, returns, holds, accounts, insurers. The newest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, select

from oct.domain.journey import LotState
from oct.store.browse.paging import Page, Traced, read_page
from oct.store.consignments import Consignment
from oct.store.holds import Hold
from oct.store.lots import Invoice, Lot
from oct.store.messages import Message
from oct.store.returns import Return
from oct.store.rows import columns
from oct.store.tables import consignments, holds, insurers, invoices, lots, messages, practitioners, returns

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """A practitioner in a list."""

    id: int
    number: str
    type: str
    name: str
    address: str
    return_mode: str
    closed_at: int | None
    diverted_at: int | None


@dataclass(frozen=True, slots=True)
class Destination:
    """An insurer in a list."""

    id: int
    kind: str
    label: str
    address: str
    regime: str
    organism: str
    centre: str
    number: str
    enabled: bool


def messages_page(
    conn: Connection, cursor: str = "", *, practitioner_id: int | None = None, until: int | None = None
) -> Page[Message]:
    """Received messages: of one account, those received before an instant (ms), when given."""
    statement = select(*columns(messages, Message))
    if practitioner_id is not None:
        statement = statement.where(messages.c.practitioner_id == practitioner_id)
    if until is not None and not cursor:
        cursor = str(_first_after(conn, until))
    return read_page(conn, statement, [messages.c.id], cursor, Message)


def lots_page(
    conn: Connection,
    cursor: str = "",
    *,
    practitioner_id: int | None = None,
    insurer_id: int | None = None,
    state: LotState | None = None,
) -> Page[Traced[Lot]]:
    """Lots: of one account, for one insurer, or in one state, those that entered it last first."""
    statement, make = _traced(lots, Lot)
    if state is not None:
        key = [lots.c.state_at, lots.c.id]
        return read_page(conn, statement.where(lots.c.state == state), key, cursor, make)
    for column, wanted in ((lots.c.practitioner_id, practitioner_id), (lots.c.insurer_id, insurer_id)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return read_page(conn, statement, [lots.c.id], cursor, make)


def invoices_page(conn: Connection, lot_id: int, cursor: str = "") -> Page[Invoice]:
    """The invoices of a lot, in order."""
    statement = select(*columns(invoices, Invoice)).where(invoices.c.lot_id == lot_id)
    return read_page(conn, statement, [invoices.c.id], cursor, Invoice, ascending=True)


def consignments_page(
    conn: Connection, cursor: str = "", *, insurer_id: int | None = None, practitioner_id: int | None = None
) -> Page[Traced[Consignment]]:
    """What leaves: for one insurer or one practitioner when given."""
    statement, make = _traced(consignments, Consignment)
    for column, wanted in (
        (consignments.c.insurer_id, insurer_id),
        (consignments.c.practitioner_id, practitioner_id),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return read_page(conn, statement, [consignments.c.id], cursor, make)


def returns_page(conn: Connection, cursor: str = "", *, practitioner_id: int | None = None) -> Page[Traced[Return]]:
    """Returns of insurers: those of one practitioner when given."""
    statement, make = _traced(returns, Return)
    if practitioner_id is not None:
        statement = statement.where(returns.c.practitioner_id == practitioner_id)
    return read_page(conn, statement, [returns.c.id], cursor, make)


def holds_page(conn: Connection, cursor: str = "", *, closed: bool = False) -> Page[Traced[Hold]]:
    """What waits for a person, the oldest first; or what was decided, the newest first."""
    statement, make = _traced(holds, Hold)
    wanted = holds.c.closed_at.is_not(None) if closed else holds.c.closed_at.is_(None)
    return read_page(conn, statement.where(wanted), [holds.c.id], cursor, make, ascending=not closed)


def accounts_page(conn: Connection, cursor: str = "") -> Page[Account]:
    """Practitioners, the last to come first."""
    return read_page(conn, select(*columns(practitioners, Account)), [practitioners.c.id], cursor, Account)


def insurers_page(conn: Connection, cursor: str = "") -> Page[Destination]:
    """Insurers, in the order of the directory."""
    statement = select(*columns(insurers, Destination))
    return read_page(conn, statement, [insurers.c.id], cursor, Destination, ascending=True)


def _first_after(conn: Connection, until: int) -> int:
    """The id below which all was received before an instant, nearly: ids follow the order of arrival."""
    at = messages.c.received_at
    last = conn.execute(select(messages.c.id).where(at < until).order_by(at.desc()).limit(1)).scalar()
    return 0 if last is None else last + 1


def _traced(table: Table, kind: type[T]) -> tuple[Select[Any], Callable[..., Traced[T]]]:
    """The rows of a table with their trace numbers, and what makes a value of one."""
    joined = select(*columns(table, kind), messages.c.trace).join(messages, messages.c.id == table.c.message_id)
    return joined, lambda *row: Traced(kind(*row[:-1]), row[-1])
