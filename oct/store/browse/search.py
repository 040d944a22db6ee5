"""Search by any identifier that a practitioner or a caisse gives (J1): exact, each meaning by an index of its own.

Takes a text and gives what it leads to, at most 50 of each kind; `more` when there are others, and then the
practitioner's number or the date tells them apart (`PS/lot/date`, `PS/facture`). A number that many practitioners use
gives the lots of the latest dates, the invoices in the order of the practitioners' numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, UnaryExpression, select, union

from oct.domain.identifiers import Kind, Meaning, meanings
from oct.store.browse.paging import Traced
from oct.store.lots import Invoice, Lot
from oct.store.messages import Message
from oct.store.rows import columns
from oct.store.tables import (
    caisses,
    consignments,
    files,
    insurers,
    invoices,
    lots,
    messages,
    practitioner_addresses,
    practitioner_numbers,
)

LIMIT = 50


@dataclass(frozen=True, slots=True)
class Found:
    """What an identifier leads to. `meanings` is empty when the text can name nothing; accounts and insurers by id."""

    meanings: tuple[Meaning, ...] = ()
    messages: tuple[Message, ...] = ()
    lots: tuple[Traced[Lot], ...] = ()
    invoices: tuple[Traced[tuple[Invoice, Lot]], ...] = ()
    practitioners: tuple[int, ...] = ()
    insurers: tuple[int, ...] = ()
    more: bool = False
    limit: int = LIMIT

    @property
    def count(self) -> int:
        """How many things were found."""
        return sum(map(len, (self.messages, self.lots, self.invoices, self.practitioners, self.insurers)))


def search(conn: Connection, text: str, limit: int = LIMIT) -> Found:
    """What a text leads to, whatever the text: at most `limit` of each kind."""
    read = meanings(text)
    found = Found(read, limit=limit)
    found = _with_messages(conn, found, read)
    for meaning in read:
        if look_up := _LOOK_UPS.get(meaning.kind):
            found = look_up(conn, found, meaning)
    return found


def _with_messages(conn: Connection, found: Found, read: Sequence[Meaning]) -> Found:
    statements = [statement for meaning in read for statement in _message_ids(meaning)]
    if not statements:
        return found
    ids = set(conn.execute(union(*(_limited(statement, found.limit) for statement in statements))).scalars()) - {None}
    if not ids:
        return found
    newest = sorted(ids, reverse=True)[: found.limit]
    rows = conn.execute(select(*columns(messages, Message)).where(messages.c.id.in_(newest)))
    kept = sorted((Message(*row) for row in rows), key=lambda message: -message.id)
    return replace(found, messages=tuple(kept), more=found.more or len(ids) > found.limit)


def _message_ids(meaning: Meaning) -> Iterator[Select[Any]]:
    """The newest messages first, as far as an index knows them."""
    given = meaning.value
    match meaning.kind:
        case Kind.TRACE:
            yield select(messages.c.id).where(messages.c.trace == given)
        case Kind.COMPOSTAGE:
            yield select(messages.c.id).where(messages.c.compostage == given)
            yield from _sent(consignments.c.compostage == given)
        case Kind.MESSAGE_ID:
            both = [given, f"<{given}>"]
            yield select(messages.c.id).where(messages.c.message_id.in_(both))
            yield from _sent(consignments.c.message_uid.in_(both))
        case Kind.FILE:
            yield select(files.c.message_id).where(files.c.file_id == given).order_by(files.c.id.desc())
            yield from _sent(consignments.c.file_id == given)


def _sent(condition: ColumnElement[bool]) -> Iterator[Select[Any]]:
    """The messages that sendings came of; several when their lots left together (A15)."""
    yield select(consignments.c.message_id).where(condition)
    yield select(lots.c.message_id).join(consignments, consignments.c.id == lots.c.consignment_id).where(condition)


def _limited(statement: Select[Any], limit: int) -> Select[Any]:
    """As a subquery, so that its order and limit stay its own inside a union."""
    some = statement.limit(limit + 1).subquery()
    return select(*some.c)


def _with_lots(conn: Connection, found: Found, meaning: Meaning) -> Found:
    statement = select(*columns(lots, Lot), messages.c.trace).join(messages, messages.c.id == lots.c.message_id)
    statement = statement.where(lots.c.number == meaning.value)
    if meaning.ps_number:
        statement = statement.where(lots.c.ps_number == meaning.ps_number)
    if meaning.date:
        statement = statement.where(lots.c.lot_date == meaning.date)
    newest = (lots.c.lot_date.desc(), lots.c.ps_number.desc())
    rows = conn.execute(statement.order_by(*newest).limit(found.limit + 1)).all()
    kept = tuple(Traced(Lot(*row[:-1]), row[-1]) for row in rows[: found.limit])
    return replace(found, lots=(*found.lots, *kept), more=found.more or len(rows) > found.limit)


def _with_invoices(conn: Connection, found: Found, meaning: Meaning) -> Found:
    chosen = invoices.c.number == meaning.value
    if meaning.ps_number:
        chosen &= invoices.c.ps_number == meaning.ps_number
    return _invoices(conn, found, chosen, invoices.c.ps_number.asc())


def _invoices(conn: Connection, found: Found, chosen: ColumnElement[bool], order: UnaryExpression[Any]) -> Found:
    of_invoice, of_lot = columns(invoices, Invoice), columns(lots, Lot)
    statement = (
        select(*of_invoice, *of_lot, messages.c.trace)
        .join(lots, lots.c.id == invoices.c.lot_id)
        .join(messages, messages.c.id == lots.c.message_id)
        .where(chosen)
    )
    rows = conn.execute(statement.order_by(order).limit(found.limit + 1)).all()
    cut = len(of_invoice)
    kept = tuple(Traced((Invoice(*row[:cut]), Lot(*row[cut:-1])), row[-1]) for row in rows[: found.limit])
    return replace(found, invoices=(*found.invoices, *kept), more=found.more or len(rows) > found.limit)


def _with_patient(conn: Connection, found: Found, meaning: Meaning) -> Found:
    """The claims of one patient, the newest first; those without an NIR are nobody's."""
    pseudonym = bytes.fromhex(meaning.value)
    if not any(pseudonym):
        return found
    return _invoices(conn, found, invoices.c.pseudonym == pseudonym, invoices.c.id.desc())


def _with_account(conn: Connection, found: Found, meaning: Meaning) -> Found:
    table = practitioner_numbers
    ids = conn.execute(select(table.c.practitioner_id).where(table.c.number == meaning.value)).scalars()
    return replace(found, practitioners=(*found.practitioners, *ids))


def _with_address(conn: Connection, found: Found, meaning: Meaning) -> Found:
    table = practitioner_addresses
    accounts = conn.execute(select(table.c.practitioner_id).where(table.c.address == meaning.value)).scalars()
    found = replace(found, practitioners=(*found.practitioners, *accounts))
    return _with_insurers(conn, found, insurers.c.address == meaning.value)


def _with_amc(conn: Connection, found: Found, meaning: Meaning) -> Found:
    """By the whole key of the directory, which begins with what an AMC does not have."""
    empty = (insurers.c.regime == "") & (insurers.c.organism == "") & (insurers.c.centre == "")
    return _with_insurers(conn, found, (insurers.c.kind == "AMC") & empty & (insurers.c.number == meaning.value))


def _with_amo(conn: Connection, found: Found, meaning: Meaning) -> Found:
    """By its own code, or by a caisse of that code which leads to it (L3)."""
    regime, organism, centre = meaning.value[:2], meaning.value[2:5], meaning.value[5:]
    own = (insurers.c.regime == regime) & (insurers.c.organism == organism)
    if centre:
        own &= insurers.c.centre == centre
    found = _with_insurers(conn, found, (insurers.c.kind == "AMO") & own)
    led = select(caisses.c.insurer_id).where(caisses.c.regime == regime, caisses.c.caisse == organism)
    return _with_insurers(conn, found, insurers.c.id.in_(led))


def _with_insurers(conn: Connection, found: Found, condition: ColumnElement[bool]) -> Found:
    ids = conn.execute(select(insurers.c.id).where(condition).limit(found.limit + 1)).scalars().all()
    known = dict.fromkeys((*found.insurers, *sorted(ids[: found.limit])))
    return replace(found, insurers=tuple(known), more=found.more or len(ids) > found.limit)


_LOOK_UPS: dict[Kind, Callable[[Connection, Found, Meaning], Found]] = {
    Kind.LOT: _with_lots,
    Kind.INVOICE: _with_invoices,
    Kind.PRACTITIONER: _with_account,
    Kind.ADDRESS: _with_address,
    Kind.AMC: _with_amc,
    Kind.AMO: _with_amo,
    Kind.PATIENT: _with_patient,
}
