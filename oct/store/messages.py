"""Received messages: the first queue, from the 250 to the end of their processing.

A message is known by its fingerprint: the same SMTP transaction repeated is the same message (D4). Its states are
the journey's; while `due_at` is set it waits to be processed.

Opening a message may kill the process (H3). A first claim costs no write of its own, so a whole batch may be open
when that happens: each of it that is claimed again is a suspect, with one attempt. From then on every opening of a
suspect is written down before it begins (`begin_opening`), so that an innocent neighbour is not counted again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    LargeBinary,
    bindparam,
    case,
    column,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from oct.store import leases, payloads
from oct.store.payloads import NewPayload
from oct.store.rows import columns, insert_new, update_rows, values
from oct.store.tables import messages


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message at the door. Instants in milliseconds, `size` and `sha256` of the bytes as received."""

    trace: str
    fingerprint: bytes
    received_at: int
    origin: str
    """`ps`, `assureur`, `emetteur`, `avis`, or `inconnu`: refused, and kept for the operator."""
    peer: str
    mail_from: str
    header_from: str
    subject: str
    message_id: str
    compostage: str
    practitioner_id: int | None
    insurer_id: int | None
    size: int
    sha256: bytes
    state: str
    due_at: int | None


@dataclass(frozen=True, slots=True)
class Insertion:
    """What became of a message at the door: when it is not new, id and trace are those of the first one (D4)."""

    id: int
    trace: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused message that is kept: where it came from, and its size in bytes."""

    peer: str
    size: int


@dataclass(frozen=True, slots=True)
class Readmission:
    """Whose a refused message is, now that it may be taken, and the fingerprint by which it is recognised (D4)."""

    origin: str
    practitioner_id: int | None
    insurer_id: int | None
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is kept. `attempts` counts the openings that began and may have killed the process, the present
    one of a suspect included: 0 for a message that is claimed for the first time."""

    id: int
    trace: str
    received_at: int
    origin: str
    peer: str
    mail_from: str
    header_from: str
    subject: str
    message_id: str
    compostage: str
    practitioner_id: int | None
    insurer_id: int | None
    size: int
    sha256: bytes
    payload_id: int
    state: str
    code: str
    ended_at: int | None
    due_at: int | None
    attempts: int


_VALUES = attrgetter(*NewMessage.__match_args__)
_COLUMNS = columns(messages, Message)
_LEFT_OPEN = messages.c.lease_owner.is_not(None) & (messages.c.attempts == 0)
_ATTEMPTS = case((_LEFT_OPEN, 1), else_=messages.c.attempts)
_REFUSED = messages.c.origin == literal_column("'inconnu'")  # as the partial index says it
_DUE = select(messages.c.id).where(leases.free(messages))
_CLAIM = leases.claiming(messages, _DUE, _ATTEMPTS).returning(*_COLUMNS)
_CLAIM_THESE = leases.claiming(
    messages, _DUE.where(messages.c.id.in_(bindparam("ids", expanding=True))), _ATTEMPTS
).returning(*_COLUMNS)
_DUE_IDS = _DUE.order_by(messages.c.due_at, messages.c.id).limit(bindparam("limit"))

_NAMED = select(messages.c.fingerprint, messages.c.id, messages.c.trace)
_GIVEN = (
    func.unnest(bindparam("fingerprints", type_=ARRAY(LargeBinary)))
    .table_valued(column("one", LargeBinary))
    .render_derived(name="given")
)
_KEPT = _NAMED.where(messages.c.fingerprint == _GIVEN.c.one).limit(1).lateral("kept")
_KNOWN = {
    "sqlite": _NAMED.where(messages.c.fingerprint.in_(bindparam("fingerprints", expanding=True))),
    "postgresql": select(_KEPT).select_from(_GIVEN.join(_KEPT, true())),
}
"""PostgreSQL is asked for one after the other: together it would read a young table whole, and go on when it is not."""

_FINISHED = (
    update(messages)
    .where(messages.c.id == bindparam("row"))
    .values(
        state=bindparam("to"),
        code=bindparam("because"),
        ended_at=bindparam("at"),
        due_at=None,
        lease_owner=None,
        lease_until=None,
    )
)


def insert_many(conn: Connection, arrived: Sequence[tuple[NewMessage, NewPayload]]) -> list[Insertion]:
    """Keep messages with their bytes, those that are not known yet; one answer each, in the same order."""
    if not arrived:
        return []
    first = known(conn, [message.fingerprint for message, _ in arrived])
    new = {message.fingerprint: (message, payload) for message, payload in reversed(arrived)}
    kept = _keep(conn, [new[fingerprint] for fingerprint in sorted(new.keys() - first.keys())])
    if len(kept) + len(first) < len(new):  # another process took some of them at the same moment
        first |= known(conn, [*(new.keys() - kept.keys())])
    ends = []
    for message, _ in arrived:
        row = kept.pop(message.fingerprint, None)
        ends.append(Insertion(*(row or first[message.fingerprint]), row is not None))
        first.setdefault(message.fingerprint, (ends[-1].id, ends[-1].trace))
    return ends


def _keep(conn: Connection, new: Sequence[tuple[NewMessage, NewPayload]]) -> dict[bytes, tuple[int, str]]:
    """Keeps messages, which are in the order of their fingerprints, or two batches might wait for each other; the ids
    and trace numbers of those that nobody else has kept meanwhile.

    The payload of one that somebody has is destroyed in its place: before a row is removed, it is looked for in every
    table that may name it.
    """
    if not new:
        return {}
    now = new[0][0].received_at
    payload_ids = payloads.insert_many(conn, [payload for _, payload in new], now)
    rows = [(*_VALUES(message), row_id) for (message, _), row_id in zip(new, payload_ids, strict=True)]
    found = insert_new(conn, messages, (*NewMessage.__match_args__, "payload_id"), rows, "fingerprint")
    for (message, _), spare in zip(new, payload_ids, strict=True):
        if message.fingerprint not in found:
            payloads.destroy(conn, spare, now)
    return {one.fingerprint: (found[one.fingerprint], one.trace) for one, _ in new if one.fingerprint in found}


def insert(conn: Connection, message: NewMessage, payload: NewPayload) -> Insertion:
    """Keep one message with its bytes, unless it is known."""
    return insert_many(conn, [(message, payload)])[0]


def claim(conn: Connection, owner: str, now: int, lease_ms: int, limit: int) -> list[Message]:
    """Take up to `limit` due messages, the oldest first, for `lease_ms`."""
    return _claimed(conn, _CLAIM, {"owner": owner, "now": now, "until": now + lease_ms, "limit": limit})


def claim_these(conn: Connection, owner: str, now: int, lease_ms: int, ids: Sequence[int]) -> list[Message]:
    """Take those of these messages that are due and that nobody works on, the oldest first, for `lease_ms`."""
    wanted = {"owner": owner, "now": now, "until": now + lease_ms, "limit": len(ids), "ids": ids}
    return _claimed(conn, _CLAIM_THESE, wanted)


def due_ids(conn: Connection, now: int, limit: int) -> list[int]:
    """Messages that are due and that nobody works on, the oldest first, at most `limit`."""
    return list(conn.execute(_DUE_IDS, {"now": now, "limit": limit}).scalars())


def begin_opening(conn: Connection, message_id: int, owner: str) -> bool:
    """Count an opening of a suspect, to be committed before it begins; False when the lease was lost."""
    done = conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.lease_owner == owner)
        .values(attempts=messages.c.attempts + 1)
    )
    return done.rowcount == 1


def finish(conn: Connection, message_id: int, owner: str, state: str, code: str, now: int) -> bool:
    """End the processing; False when the lease was lost, and then the whole transaction must be given up."""
    return leases.settle(conn, messages, message_id, owner, state=state, code=code, ended_at=now, due_at=None)


def finish_all(conn: Connection, owner: str, ended: Sequence[tuple[int, str, str]], now: int) -> set[int]:
    """End the processing of messages (id, state, code); those whose lease was not lost, the only ones to be written."""
    held = leases.still_held(conn, messages, {row_id: owner for row_id, _, _ in ended})
    rows = [{"row": row_id, "to": state, "because": code, "at": now} for row_id, state, code in ended if row_id in held]
    update_rows(conn, _FINISHED, rows)
    return held


def postpone(conn: Connection, message_id: int, owner: str, due_at: int) -> bool:
    """Try again at `due_at`; False when the lease was lost."""
    return leases.settle(conn, messages, message_id, owner, due_at=due_at)


def requeue(conn: Connection, message_id: int, state: str, due_at: int) -> bool:
    """Put a message that has ended back to be processed, with fresh attempts; False when it waits already."""
    done = conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.due_at.is_(None))
        .values(state=state, code="", ended_at=None, due_at=due_at, attempts=0)
    )
    return done.rowcount == 1


def readmit(conn: Connection, message_id: int, readmission: Readmission) -> None:
    """Say of a refused message whose it is, now that it is taken."""
    conn.execute(update(messages).where(messages.c.id == message_id).values(values(readmission)))


def set_state(conn: Connection, message_id: int, state: str, code: str) -> None:
    """Move a message that has ended to a state."""
    conn.execute(update(messages).where(messages.c.id == message_id).values(state=state, code=code))


def release_leases(conn: Connection, owner_prefix: str) -> int:
    """End the leases of a process that died; how many."""
    return leases.release(conn, messages, owner_prefix)


def give_back(conn: Connection, owner: str, but: Collection[int] = ()) -> None:
    """Undo the claim of an owner who could not begin or end it, except these rows; it makes no suspect."""
    leases.give_back(conn, messages, owner, but)


def holders(conn: Connection, owner_prefix: str) -> list[str]:
    """Who holds leases, of those whose names begin so."""
    return leases.holders(conn, messages, owner_prefix)


def by_id(conn: Connection, message_id: int) -> Message | None:
    """The message of an id."""
    return _one(conn, messages.c.id == message_id)


def payload_of(conn: Connection, message_id: int) -> int:
    """The payload that holds a message as it was received."""
    return int(conn.execute(select(messages.c.payload_id).where(messages.c.id == message_id)).scalar_one())


def by_trace(conn: Connection, trace: str) -> Message | None:
    """The message of a trace number, written `XXXXXX-XXXXXXXX`."""
    return _one(conn, messages.c.trace == trace)


def traces(conn: Connection, ids: Collection[int]) -> dict[int, str]:
    """The trace numbers of these messages."""
    return {
        row.id: row.trace for row in conn.execute(select(messages.c.id, messages.c.trace).where(messages.c.id.in_(ids)))
    }


def known(conn: Connection, fingerprints: Sequence[bytes]) -> dict[bytes, tuple[int, str]]:
    """The ids and trace numbers of the messages that are kept under these fingerprints."""
    rows = conn.execute(_KNOWN[conn.dialect.name], {"fingerprints": fingerprints})
    return {row.fingerprint: (row.id, row.trace) for row in rows}


def refused_since(conn: Connection, since: int) -> list[Refused]:
    """The refused messages that were kept since an instant, but for those that a person let in."""
    rows = conn.execute(select(messages.c.peer, messages.c.size).where(_REFUSED, messages.c.received_at >= since))
    return [Refused(*row) for row in rows]


def counts(conn: Connection, since: int) -> Mapping[str, int]:
    """How many messages received since an instant are in each state."""
    rows = conn.execute(
        select(messages.c.state, func.count()).where(messages.c.received_at >= since).group_by(messages.c.state)
    )
    return {state: how_many for state, how_many in rows}  # noqa: C416 - dict() wants tuples, rows are like them


def oldest_due(conn: Connection) -> int | None:
    """When the next message to process became due, or None when none waits."""
    oldest: int | None = conn.execute(
        select(func.min(messages.c.due_at)).where(messages.c.due_at.is_not(None))
    ).scalar_one()
    return oldest


def _claimed(conn: Connection, statement: ReturningUpdate[Any], values: Mapping[str, Any]) -> list[Message]:
    rows = conn.execute(statement, values)
    return sorted((Message(*row) for row in rows), key=lambda message: (message.due_at or 0, message.id))


def _one(conn: Connection, condition: ColumnElement[bool]) -> Message | None:
    row = conn.execute(select(*_COLUMNS).where(condition)).one_or_none()
    return None if row is None else Message(*row)
