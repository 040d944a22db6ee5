"""The increments of the card opposition list, as their issuer sent them (O1): each number once, for good.

Their payloads have no end of retention: a practitioner that starts again asks for all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from oct.store import payloads
from oct.store.payloads import NewPayload
from oct.store.rows import columns, values
from oct.store.tables import consignments, messages
from oct.store.tables import dloi_increments as increments


@dataclass(frozen=True, slots=True)
class NewIncrement:
    """An increment to keep, and the envelope it came in. `sha256` is that of its bytes, `received_at` in ms."""

    number: int
    sha256: bytes
    received_at: int
    message_id: int
    subject: str
    description: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Increment:
    """An increment that is kept."""

    id: int
    number: int
    payload_id: int
    sha256: bytes
    received_at: int
    message_id: int
    subject: str
    description: str
    content_type: str


_COLUMNS = columns(increments, Increment)


def keep(conn: Connection, new: NewIncrement, payload: NewPayload) -> int:
    """Keep an increment whose number is not known yet; its id."""
    (payload_id,) = payloads.insert_many(conn, [payload], new.received_at)
    row = {**values(new), "payload_id": payload_id}
    return int(conn.execute(insert(increments).returning(increments.c.id), row).scalar_one())


def by_number(conn: Connection, number: int) -> Increment | None:
    """The increment of a number."""
    row = conn.execute(select(*_COLUMNS).where(increments.c.number == number)).one_or_none()
    return None if row is None else Increment(*row)


def numbers(conn: Connection) -> list[int]:
    """All the numbers that are kept, in order."""
    return list(conn.execute(select(increments.c.number).order_by(increments.c.number)).scalars())


def requesters(conn: Connection, message_uids: Collection[str]) -> frozenset[int]:
    """The practitioners whose requests went to the issuer under one of these Message-IDs."""
    asked = (
        select(messages.c.practitioner_id)
        .join(consignments, consignments.c.message_id == messages.c.id)
        .where(
            consignments.c.message_uid.in_(message_uids),
            consignments.c.kind == "demande",
            messages.c.practitioner_id.is_not(None),
        )
    )
    return frozenset(conn.execute(asked).scalars())
