"""Consignments: what goes out, written down before it is sent. A retry sends the same bytes under the same Message-ID.

The second queue. A batch is claimed for one recipient, so that it is sent over one connection, and never for a
recipient that somebody else is sending to: a slow insurer keeps one courier, not all of them (P4). Where everything
leaves through one relay, a batch is for any recipients but those over whom the relay fell silent when they were tried
before; what waits for these is claimed apart, by recipient.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, literal_column, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from oct.domain.journey import ConsignmentState
from oct.store import leases, payloads
from oct.store.payloads import NewPayload
from oct.store.rows import columns, insert_all, update_rows
from oct.store.tables import consignments

GROUPED = "groupe"
"""Kind of a file made of the lots of several messages (A15)."""
REPLY = 250
"""Characters that are kept of the other side's last word."""


class NewConsignment(NamedTuple):
    """A message to send, as its row but for its state.

    `size` and `sha256` are those of the bytes to send, `due_at` the first try, in ms.
    """

    message_id: int
    kind: str
    """`facture`, `groupe`, `flux`, `demande`, `art`, `texte` or `retour`."""
    recipient: str
    message_uid: str
    payload_id: int
    size: int
    sha256: bytes
    created_at: int
    due_at: int
    insurer_id: int | None = None
    practitioner_id: int | None = None
    compostage: str = ""
    file_id: str = ""


class Consignment(NamedTuple):
    """A consignment that is kept. `attempts` counts the claims; `reply` is the other side's last word."""

    id: int
    message_id: int
    kind: str
    insurer_id: int | None
    practitioner_id: int | None
    recipient: str
    message_uid: str
    compostage: str
    file_id: str
    payload_id: int
    size: int
    sha256: bytes
    created_at: int
    state: str
    delivered_at: int | None
    reply: str
    due_at: int | None
    attempts: int
    replaced_by: int | None
    """The sending in which its lots left instead (A15)."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one recipient: how many, the oldest's creation and the earliest next try, in ms."""

    recipient: str
    waiting: int
    oldest_created_at: int
    next_due_at: int


_COLUMNS = columns(consignments, Consignment)
_FREE = leases.free(consignments)
_SERVED = select(consignments.c.recipient).where(consignments.c.lease_until >= leases.NOW)
_NEXT_RECIPIENT = (
    select(consignments.c.recipient)
    .where(_FREE, consignments.c.recipient.not_in(_SERVED))
    .order_by(consignments.c.due_at, consignments.c.id)
    .limit(1)
    .scalar_subquery()
)
_ONE_MORE = consignments.c.attempts + 1
_STALLED = consignments.alias("stalled_ones")
_IS_STALLED = exists().where(_STALLED.c.recipient == consignments.c.recipient, _STALLED.c.stalled_at.is_not(None))
_NEXT_STALLED = (
    select(consignments.c.recipient)
    .where(
        _FREE,
        consignments.c.recipient.in_(select(_STALLED.c.recipient).where(_STALLED.c.stalled_at.is_not(None))),
        consignments.c.recipient.not_in(_SERVED),
    )
    .order_by(consignments.c.due_at, consignments.c.id)
    .limit(1)
    .scalar_subquery()
)
_CLAIM = leases.claiming(
    consignments, select(consignments.c.id).where(_FREE, consignments.c.recipient == _NEXT_RECIPIENT), _ONE_MORE
).returning(*_COLUMNS)
_CLAIM_STALLED = leases.claiming(
    consignments, select(consignments.c.id).where(_FREE, consignments.c.recipient == _NEXT_STALLED), _ONE_MORE
).returning(*_COLUMNS)
_CLAIM_ANY = leases.claiming(consignments, select(consignments.c.id).where(_FREE, ~_IS_STALLED), _ONE_MORE).returning(
    *_COLUMNS
)

_HAND_BACK = (
    update(consignments)
    .where(consignments.c.id == bindparam("row"), consignments.c.lease_owner == bindparam("holder"))
    .values(attempts=consignments.c.attempts - 1, lease_owner=None, lease_until=None)
)
_WITH_ART = select(consignments.c.message_id).where(
    consignments.c.message_id.in_(bindparam("messages", expanding=True)),
    consignments.c.kind == literal_column("'art'"),  # as the partial index says it
)


def insert_many(conn: Connection, new: Sequence[NewConsignment]) -> list[int]:
    """Write down what will be sent; the ids, in the same order."""
    rows = [(*consignment, ConsignmentState.WAITING) for consignment in new]
    return insert_all(conn, consignments, (*NewConsignment._fields, "state"), rows)


def insert_sealed(conn: Connection, new: Sequence[tuple[NewConsignment, NewPayload]], now: int) -> list[int]:
    """The same with the bytes to send, of which a consignment does not know the row yet."""
    payload_ids = payloads.insert_many(conn, [payload for _, payload in new], now)
    return insert_many(
        conn, [one._replace(payload_id=row_id) for (one, _), row_id in zip(new, payload_ids, strict=True)]
    )


def claim(conn: Connection, owner: str, now: int, lease_ms: int, limit: int) -> list[Consignment]:
    """Take up to `limit` due consignments of one recipient: of those nobody is sending to, the one that has waited
    longest. Oldest first, for `lease_ms`."""
    return _claimed(conn, _CLAIM, owner, now, lease_ms, limit)


def claim_any(conn: Connection, owner: str, now: int, lease_ms: int, limit: int) -> list[Consignment]:
    """Take up to `limit` due consignments whoever their recipients are, but stalled ones: all go to one relay. Oldest
    first."""
    return _claimed(conn, _CLAIM_ANY, owner, now, lease_ms, limit)


def claim_stalled(conn: Connection, owner: str, now: int, lease_ms: int, limit: int) -> list[Consignment]:
    """As `claim`, of the recipients that `claim_any` leaves out: the relay fell silent over something that waits for
    them."""
    return _claimed(conn, _CLAIM_STALLED, owner, now, lease_ms, limit)


def hand_back(conn: Connection, left: Sequence[tuple[int, str]]) -> None:
    """Undo the claims (id, owner of the lease) of what was not tried: it is due as before, and the claim does not
    count."""
    update_rows(conn, _HAND_BACK, [{"row": row_id, "holder": owner} for row_id, owner in sorted(left)])


def mark_delivered(conn: Connection, consignment_id: int, owner: str, reply: str, now: int) -> bool:
    """The other side said 250; False when the lease was lost."""
    return leases.settle(
        conn,
        consignments,
        consignment_id,
        owner,
        state=ConsignmentState.DELIVERED,
        delivered_at=now,
        reply=reply[:REPLY],
        stalled_at=None,
        due_at=None,
    )


def mark_retry(
    conn: Connection, consignment_id: int, owner: str, due_at: int, reply: str, stalled_at: int | None = None
) -> bool:
    """Try again at `due_at`; False when the lease was lost. `stalled_at`: when the other side fell silent over it."""
    return leases.settle(
        conn, consignments, consignment_id, owner, reply=reply[:REPLY], due_at=due_at, stalled_at=stalled_at
    )


def mark_failed(conn: Connection, consignment_id: int, owner: str, reply: str) -> bool:
    """Refused for good or expired; False when the lease was lost."""
    return leases.settle(
        conn,
        consignments,
        consignment_id,
        owner,
        state=ConsignmentState.FAILED,
        reply=reply[:REPLY],
        due_at=None,
        stalled_at=None,
    )


def mark_bounced(conn: Connection, consignment_id: int, reply: str) -> bool:
    """The other side took it and gave it up later; False when it is not in the state of a delivered one."""
    done = conn.execute(
        update(consignments)
        .where(consignments.c.id == consignment_id, consignments.c.state == ConsignmentState.DELIVERED)
        .values(state=ConsignmentState.FAILED, delivered_at=None, reply=reply[:REPLY])
    )
    return done.rowcount == 1


def requeue(conn: Connection, consignment_id: int, due_at: int) -> bool:
    """Send one that failed or was delivered again, the same bytes; False when it waits already."""
    done = conn.execute(
        update(consignments)
        .where(consignments.c.id == consignment_id, consignments.c.due_at.is_(None))
        .values(state=ConsignmentState.WAITING, due_at=due_at, attempts=0)
    )
    return done.rowcount == 1


def hasten(conn: Connection, practitioner_id: int, recipient: str, now: int) -> int:
    """What waits for a practitioner's own mailbox is due at once; how many."""
    done = conn.execute(
        update(consignments)
        .where(
            consignments.c.practitioner_id == practitioner_id,
            consignments.c.recipient == recipient,
            consignments.c.due_at > now,
        )
        .values(due_at=now)
    )
    return done.rowcount


def release_leases(conn: Connection, owner_prefix: str) -> int:
    """Give back the leases of a process that died; how many."""
    return leases.release(conn, consignments, owner_prefix)


def give_back(conn: Connection, owner: str, but: Collection[int] = ()) -> None:
    """Undo the claim of an owner who could not end it, except these rows."""
    leases.give_back(conn, consignments, owner, but)


def by_id(conn: Connection, consignment_id: int) -> Consignment | None:
    """The consignment of an id."""
    row = conn.execute(select(*_COLUMNS).where(consignments.c.id == consignment_id)).one_or_none()
    return None if row is None else Consignment(*row)


def by_ids(conn: Connection, consignment_ids: Collection[int]) -> list[Consignment]:
    """Those of these consignments that there are."""
    rows = conn.execute(select(*_COLUMNS).where(consignments.c.id.in_(consignment_ids)))
    return [Consignment(*row) for row in rows]


def leases_of(conn: Connection, consignment_ids: Collection[int]) -> dict[int, tuple[str | None, int | None]]:
    """Who had these consignments (ids) in hand and has not told of them, and until when (ms) nobody else may have."""
    lease = consignments.c.id, consignments.c.lease_owner, consignments.c.lease_until
    rows = conn.execute(select(*lease).where(consignments.c.id.in_(consignment_ids)))
    return {row.id: (row.lease_owner, row.lease_until) for row in rows}


def by_message_uids(conn: Connection, message_uids: Collection[str]) -> list[Consignment]:
    """The sendings that bear one of these Message-IDs."""
    rows = conn.execute(select(*_COLUMNS).where(consignments.c.message_uid.in_(message_uids)))
    return [Consignment(*row) for row in rows]


def of_message(conn: Connection, message_id: int) -> list[Consignment]:
    """What a received message gave rise to, in order of writing."""
    rows = conn.execute(select(*_COLUMNS).where(consignments.c.message_id == message_id).order_by(consignments.c.id))
    return [Consignment(*row) for row in rows]


def with_art(conn: Connection, message_ids: Collection[int]) -> set[int]:
    """Which of these messages have their one ART already (T1)."""
    return set(conn.execute(_WITH_ART, {"messages": list(message_ids)}).scalars())


def backlog(conn: Connection) -> list[Backlog]:
    """What waits, by recipient, the longest wait first."""
    oldest = func.min(consignments.c.created_at)
    rows = conn.execute(
        select(consignments.c.recipient, func.count(), oldest, func.min(consignments.c.due_at))
        .where(consignments.c.due_at.is_not(None))
        .group_by(consignments.c.recipient)
        .order_by(oldest)
    )
    return [Backlog(*row) for row in rows]


def _claimed(
    conn: Connection, statement: ReturningUpdate[Any], owner: str, now: int, lease_ms: int, limit: int
) -> list[Consignment]:
    rows = conn.execute(statement, {"owner": owner, "now": now, "until": now + lease_ms, "limit": limit})
    return sorted(map(Consignment._make, rows), key=lambda one: (one.due_at or 0, one.id))
