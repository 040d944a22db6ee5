"""The story of every message (J1): events appended in the transaction of what they tell, and found by any identifier.

An event holds identifiers, digests, sizes and replies; never an NIR, a name or a payload (J4).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Connection, select, union

from oct.store.browse.search import search
from oct.store.rows import columns, insert_all, insert_rows, insert_tuples
from oct.store.tables import (
    event_details,
    events,
    lots,
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
"""How many messages one identifier may lead to: a bare lot number is shared by many."""


class Event(NamedTuple):
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
    data: Mapping[str, Any] = MappingProxyType({})
    """Whatever JSON can hold."""


class EventRow(NamedTuple):
    """An event as its row, `data` as JSON (`written`)."""

    at: int
    kind: str
    outcome: str
    message_id: int | None = None
    consignment_id: int | None = None
    return_id: int | None = None
    practitioner_id: int | None = None
    insurer_id: int | None = None
    actor: str = ""
    data: str = "{}"


_COLUMNS = columns(events, Event)
_JSON = json.JSONEncoder(ensure_ascii=False, sort_keys=True, check_circular=False)


def append(conn: Connection, new: Sequence[Event]) -> None:
    """Write events, in their order; readings after the others."""
    append_rows(conn, [row_of(event) for event in new if event.kind != READING])
    readings = [event for event in new if event.kind == READING]
    details = [_detail(event) for event in readings]
    rows = [row_of(_without(event, detail)) for event, detail in zip(readings, details, strict=True)]
    ids = insert_all(conn, events, EventRow._fields, rows)
    told = [{"event_id": row_id, "content": detail} for row_id, detail in zip(ids, details, strict=True)]
    insert_rows(conn, event_details, told)


def append_rows(conn: Connection, new: Sequence[EventRow]) -> None:
    """Write events that were made rows of before the transaction; none of them a reading."""
    insert_tuples(conn, events, EventRow._fields, new)


def row_of(event: Event) -> EventRow:
    """An event as its row: CPU alone."""
    return EventRow._make((*event[:-1], written(dict(event.data))))


def written(data: dict[str, Any]) -> str:
    """The data of an event as its row has them."""
    return _JSON.encode(data)


def of_message(conn: Connection, message_id: int) -> list[Event]:
    """The events of a message, in the order they were written; not those of who read it since."""
    chosen = (events.c.message_id == message_id, events.c.kind != READING)
    rows = conn.execute(select(*_COLUMNS).where(*chosen).order_by(events.c.id))
    return [from_row(row) for row in rows]


def find(conn: Connection, identifier: str) -> list[int]:
    """The ids of the messages that an identifier leads to, and of those that answer them or that they answer.

    The identifier is whatever `search` knows that names a message, a lot or an invoice. Oldest first, and 500 at most.
    """
    found = search(conn, identifier, _FOUND)
    direct = {message.id for message in found.messages} | {one.of.message_id for one in found.lots}
    direct |= {lot.message_id for _, lot in (one.of for one in found.invoices)}
    return sorted(direct | set(conn.execute(_answering(direct)).scalars()))[-_FOUND:] if direct else []


def _answering(message_ids: set[int]) -> CompoundSelect[int]:
    """The messages whose returns answer these ones' lots, and the messages whose lots these ones' returns answer."""
    linked = return_lots.join(returns, returns.c.id == return_lots.c.return_id).join(
        lots, lots.c.id == return_lots.c.lot_id
    )
    return union(
        select(returns.c.message_id).select_from(linked).where(lots.c.message_id.in_(message_ids)),
        select(lots.c.message_id).select_from(linked).where(returns.c.message_id.in_(message_ids)),
    )


def _detail(event: Event) -> str:
    told = {"acteur": event.actor, "donnees": dict(event.data), "sel": os.urandom(_SALT).hex()}
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _without(event: Event, detail: str) -> Event:
    return event._replace(actor="", data={verify.DETAIL: hashlib.sha256(detail.encode()).hexdigest()})


def revealed(event: Event, detail: str | None) -> Event:
    """A reading with who and what, as long as they are kept (None: no more, or no reading)."""
    if detail is None:
        return event
    told = json.loads(detail)
    return event._replace(actor=told["acteur"], data=told["donnees"])


def from_row(row: Sequence[Any]) -> Event:
    """The event whose columns were selected, in the order of its fields."""
    return Event(*(*row[:-1], json.loads(row[-1] or "{}")))
