"""Files that wait for others of their destination, to leave as one (A15).

They are rows of `consignments` that nobody sends: built, not sealed, without a due time, with a key that they share
with the files they may leave with. Whoever sends a group off locks its rows in the transaction that writes what becomes
of them, so that each leaves once however many processes look.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from oct.domain.journey import ConsignmentState, LotState
from oct.store.rows import insert_all
from oct.store.tables import consignments, lots


class NewGathering(NamedTuple):
    """A file that is to wait. `size` and `sha256` are those of the file, `created_at` opens its window, in ms."""

    message_id: int
    insurer_id: int
    recipient: str
    file_id: str
    gathering_key: str
    payload_id: int
    size: int
    sha256: bytes
    created_at: int


@dataclass(frozen=True, slots=True)
class Gathering:
    """A file that waits, and how many lots are in it."""

    id: int
    message_id: int
    insurer_id: int
    payload_id: int
    size: int
    lot_count: int


_CARRIED = select(func.count()).where(lots.c.consignment_id == consignments.c.id).scalar_subquery()
_OF_KEY = (
    select(
        consignments.c.id,
        consignments.c.message_id,
        consignments.c.insurer_id,
        consignments.c.payload_id,
        consignments.c.size,
        _CARRIED.label("lot_count"),
    )
    .where(consignments.c.gathering_key == bindparam("key"))
    .order_by(consignments.c.message_id, consignments.c.id)
)


def insert_many(conn: Connection, new: Sequence[NewGathering]) -> list[int]:
    """Write down files that wait; the ids of their rows, in the same order."""
    names = (*NewGathering._fields, "kind", "message_uid", "state")
    return insert_all(conn, consignments, names, [(*one, "facture", "", ConsignmentState.GATHERING) for one in new])


def closed_keys(conn: Connection, opened_by: int) -> list[str]:
    """The keys of the groups whose first file has waited since an instant (ms) or longer, the oldest first."""
    first = func.min(consignments.c.created_at)
    statement = (
        select(consignments.c.gathering_key)
        .where(consignments.c.gathering_key.is_not(None))
        .group_by(consignments.c.gathering_key)
        .having(first <= opened_by)
        .order_by(first)
    )
    return list(conn.execute(statement).scalars())


def of_key(conn: Connection, key: str) -> list[Gathering]:
    """The files of a group, in order of arrival."""
    return [Gathering(*row) for row in conn.execute(_OF_KEY, {"key": key})]


def still_waiting(conn: Connection, ids: Collection[int]) -> bool:
    """Whether all these files wait, and keeps other processes from them until the transaction ends."""
    chosen = consignments.c.id.in_(ids) & consignments.c.gathering_key.is_not(None)
    locked = select(consignments.c.id).where(chosen).order_by(consignments.c.id).with_for_update()
    return len(conn.execute(locked).all()) == len(ids)


def send_off(conn: Connection, ids: Collection[int], consignment_id: int) -> None:
    """Files that waited are replaced by one sending, which carries their lots."""
    _end(conn, ids, consignment_id)
    conn.execute(update(lots).where(lots.c.consignment_id.in_(ids)).values(consignment_id=consignment_id))


def withhold(conn: Connection, gathering_id: int, hold_id: int, code: str, now: int) -> None:
    """A file that waited for others waits for a person instead, and its lots with it."""
    _end(conn, [gathering_id], None)
    conn.execute(
        update(lots)
        .where(lots.c.consignment_id == gathering_id)
        .values(consignment_id=None, hold_id=hold_id, state=LotState.HELD, code=code, state_at=now)
    )


def _end(conn: Connection, ids: Collection[int], replaced_by: int | None) -> None:
    conn.execute(
        update(consignments)
        .where(consignments.c.id.in_(ids))
        .values(state=ConsignmentState.REPLACED, gathering_key=None, replaced_by=replaced_by)
    )


def count(conn: Connection) -> int:
    """How many files wait."""
    return conn.execute(select(func.count()).where(consignments.c.gathering_key.is_not(None))).scalar_one()


def oldest(conn: Connection) -> int | None:
    """Since when the file that has waited longest waits, in ms; None when none does."""
    statement = select(func.min(consignments.c.created_at)).where(consignments.c.gathering_key.is_not(None))
    first: int | None = conn.execute(statement).scalar_one()
    return first
