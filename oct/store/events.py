"""The story of every message (J1): events appended in the transaction of what they tell, and found by any identifier.

An event holds identifiers, digests, sizes and replies; never an NIR, a name or a payload (J4).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, select, union

from oct.store.rows import columns, insert_all, insert_rows, values
from oct.store.tables import (
    consignments,
    event_details,
    events,
    files,
    invoices,
    lots,
    messages,
    return_lots,
    returns,
)
from oct.trace import verify

READING = verify.READING
"""The kind of the events that tell a reading (J3). Who and what stands apart, for less long than the event itself,
which holds its digest (T3)."""
_SALT = 16
"""Bytes without which a digest would give away a detail that was removed: there are few readers to guess."""

_FOUND = 500
"""How many messages one identifier may lead to: a bare lot number is shared by many, and the newest are given."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: when (ms), what, how it ended, to what, and by whom when a person did it."""

    at: int
    kind: str
    outcome: str
    message_id: int | None = None
    consignment_id: int | None = None
    return_id: int | None = None
    practitioner_id: int | None = None
    insurer_id: int | None = None
    actor: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Whatever JSON can hold."""


_COLUMNS = columns(events, Event)


def append(conn: Connection, new: Sequence[Event]) -> None:
    """Write events, in their order; readings after the others."""
    insert_rows(conn, events, [_row(event) for event in new if event.kind != READING])
    readings = [event for event in new if event.kind == READING]
    details = [_detail(event) for event in readings]
    rows = [_row(_without(event, detail)) for event, detail in zip(readings, details, strict=True)]
    ids = insert_all(conn, events, rows)
    told = [{"event_id": row_id, "content": detail} for row_id, detail in zip(ids, details, strict=True)]
    insert_rows(conn, event_details, told)


def of_message(conn: Connection, message_id: int) -> list[Event]:
    """The events of a message, in the order they were written; not those of who read it since."""
    chosen = (events.c.message_id == message_id, events.c.kind != READING)
    rows = conn.execute(select(*_COLUMNS).where(*chosen).order_by(events.c.id))
    return [from_row(row) for row in rows]


def find(conn: Connection, identifier: str) -> list[int]:
    """The ids of the messages that an identifier leads to, and of those that answer them or that they answer.

    The identifier is a trace number (with or without dash, any case), a compostage, a Message-ID (with or without
    angle brackets), a file id, a lot (`number`, or `PS number/number/date`), or an invoice number. Oldest first, and
    the newest 500 when there are more.
    """
    meanings = list(_meanings(identifier.strip()))
    if not meanings:
        return []
    direct = _ids(conn, union(*meanings))
    return sorted(direct | _ids(conn, _answering(direct)))[-_FOUND:]


def _ids(conn: Connection, statement: CompoundSelect[int]) -> set[int]:
    return set(conn.execute(statement).scalars())


def _meanings(text: str) -> Iterator[Select[int]]:
    """What the identifier can mean, by its shape."""
    bare = text.strip("<>")
    code = re.sub(r"[\s-]", "", text).upper()
    if "@" in bare:
        both = [bare, f"<{bare}>"]
        yield select(messages.c.id).where(messages.c.message_id.in_(both))
        yield from _sent(consignments.c.message_uid.in_(both))
    elif text.count("/") == 2:
        ps_number, number, lot_date = text.split("/")
        yield _newest_lots((lots.c.ps_number == ps_number) & (lots.c.number == number) & (lots.c.lot_date == lot_date))
    elif re.fullmatch("[0-9]{19}", code):
        yield select(messages.c.id).where(messages.c.compostage == code)
        yield from _sent(consignments.c.compostage == code)
    elif re.fullmatch("[0-9A-Z]{14}", code):
        spelt = code.translate(str.maketrans("OIL", "011"))
        yield select(messages.c.id).where(messages.c.trace == f"{spelt[:6]}-{spelt[6:]}")
    elif re.fullmatch("[0-9A-Z]{1,9}", code):
        yield from _short(code)


def _short(code: str) -> Iterator[Select[int]]:
    yield _newest_lots(lots.c.id.in_(select(invoices.c.lot_id).where(invoices.c.number == code)))
    if len(code) == 6:
        yield select(files.c.message_id).where(files.c.file_id == code)
        yield from _sent(consignments.c.file_id == code)
    if len(code) == 3:
        yield _newest_lots(lots.c.number == code)


def _sent(condition: ColumnElement[bool]) -> Iterator[Select[int]]:
    """The messages that sendings came of; several when their lots left together (A15)."""
    yield select(consignments.c.message_id).where(condition)
    yield select(lots.c.message_id).join(consignments, consignments.c.id == lots.c.consignment_id).where(condition)


def _newest_lots(condition: ColumnElement[bool]) -> Select[int]:
    """As a subquery, so that its order and limit stay its own inside a union."""
    newest = select(lots.c.message_id).where(condition).order_by(lots.c.id.desc()).limit(_FOUND).subquery()
    return select(newest.c.message_id)


def _answering(message_ids: set[int]) -> CompoundSelect[int]:
    """The messages whose returns answer these ones' lots, and the messages whose lots these ones' returns answer."""
    linked = return_lots.join(returns, returns.c.id == return_lots.c.return_id).join(
        lots, lots.c.id == return_lots.c.lot_id
    )
    return union(
        select(returns.c.message_id).select_from(linked).where(lots.c.message_id.in_(message_ids)),
        select(lots.c.message_id).select_from(linked).where(returns.c.message_id.in_(message_ids)),
    )


def _row(event: Event) -> dict[str, Any]:
    return {**values(event), "data": json.dumps(dict(event.data), ensure_ascii=False, sort_keys=True)}


def _detail(event: Event) -> str:
    told = {"acteur": event.actor, "donnees": dict(event.data), "sel": os.urandom(_SALT).hex()}
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _without(event: Event, detail: str) -> Event:
    return replace(event, actor="", data={verify.DETAIL: hashlib.sha256(detail.encode()).hexdigest()})


def revealed(event: Event, detail: str | None) -> Event:
    """A reading with who and what, as long as they are kept (None: no more, or no reading)."""
    if detail is None:
        return event
    told = json.loads(detail)
    return replace(event, actor=told["acteur"], data=told["donnees"])


def from_row(row: Sequence[Any]) -> Event:
    """The event whose columns were selected, in the order of its fields."""
    return Event(*(*row[:-1], json.loads(row[-1] or "{}")))
