"""The earlier sendings of lots, by which a re-sending is recognised (D2, D3): what was sent, and what came of it.

`past_of` is read before a message is sealed. `lock` and `standing` are for the transaction that writes it: two sendings
of the same lots, made at the same moment on two connections, both find nothing before; the second to write sees what
the first wrote and is settled again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, Row, Select, String, and_, bindparam, column, func, or_, select, true

from oct.domain.duplicates import ACCEPTED, Identity, Sending
from oct.domain.journey import AWAITING, ConsignmentState, LotState
from oct.domain.model import LotKind
from oct.domain.plan import Shape
from oct.domain.recognition import HeldLots, Past
from oct.store.consignments import Consignment
from oct.store.rows import columns
from oct.store.tables import consignments, files, holds, lots, messages, payloads, practitioners, return_lots, returns

Standing = frozenset[tuple[int, str]]
"""Ids and states of all the rows of some identities."""

_Row = Row[*tuple[Any, ...]]
_NAMED = and_(
    lots.c.number.in_(bindparam("numbers", expanding=True)),
    lots.c.lot_date == bindparam("date"),
    lots.c.ps_number == bindparam("ps"),
    lots.c.kind != LotKind.AMC,
)
"""Lots as they were received, of one PS number and one date: at most 999 of them, by their numbers."""

STILL_TO_LEAVE = AWAITING | {LotState.HELD}
"""States of a lot that waits in an open hold: before it left, or after its delivery failed."""

_SENDING = (
    select(
        lots.c.id,
        lots.c.first_lot_id,
        lots.c.message_id,
        lots.c.kind,
        lots.c.ps_number,
        lots.c.number,
        lots.c.lot_date,
        lots.c.insurer_id,
        lots.c.received_sha256,
        lots.c.state,
        lots.c.state_at,
        lots.c.hold_id,
        lots.c.consignment_id,
        messages.c.received_at,
        messages.c.trace,
        consignments.c.delivered_at,
        consignments.c.state.label("consignment_state"),
    )
    .join(messages, messages.c.id == lots.c.message_id)
    .outerjoin(consignments, consignments.c.id == lots.c.consignment_id)
    .order_by(lots.c.id)
)
_RECEIVED = _SENDING.where(_NAMED, lots.c.practitioner_id == bindparam("account"))
_WANTED = ("number", "lot_date", "ps_number")


def _standing(*names: Any) -> Select[tuple[int, str, int | None, str, str, str]]:
    """The lots as they were received of any number of identities, whose parts are `names`."""
    return select(
        lots.c.id, lots.c.state, lots.c.practitioner_id, lots.c.ps_number, lots.c.number, lots.c.lot_date
    ).where(
        *(lots.c[part] == name for part, name in zip(_WANTED, names, strict=True)),
        lots.c.kind != LotKind.AMC,
    )


_LISTED = func.json_each(bindparam("wanted", type_=String)).table_valued("value")
_IN_ARRAYS = (
    func.unnest(*(bindparam(part, type_=ARRAY(String)) for part in _WANTED))
    .table_valued(*(column(part, String) for part in _WANTED))
    .render_derived()
)
_OF_ONE = _standing(*_IN_ARRAYS.c).offset(0).lateral("standing")
_STANDING = {
    "sqlite": _standing(*(func.json_extract(_LISTED.c.value, f"$[{place}]") for place in range(len(_WANTED)))),
    "postgresql": select(_OF_ONE).select_from(_IN_ARRAYS.join(_OF_ONE, true())),
}
"""PostgreSQL is asked for one after the other: together it would read a young table whole."""


def past_of(
    conn: Connection, practitioner_id: int, identities: Collection[Identity], digests: Collection[bytes]
) -> Past:
    """What is remembered of these lots of one account; `digests` are those of the AMC flow."""
    received = [
        row for group in _groups(identities) for row in conn.execute(_RECEIVED, {**group, "account": practitioner_id})
    ]
    if not received:
        return Past()
    derived = _derived(conn, {row.message_id for row in received}, digests) if digests else []
    rows = [*received, *derived]
    open_holds = _open_holds(conn, rows)
    holds_of_them = held_lots(conn, set(open_holds.values()))
    accepted = _accepted(conn, [row.id for row in rows])
    by_identity, by_digest = defaultdict[Identity, list[Sending]](list), defaultdict[bytes, list[Sending]](list)
    for row in received:
        by_identity[Identity(row.ps_number, row.number, row.lot_date)].append(_sending(row, open_holds, accepted))
    for row in derived:
        by_digest[row.received_sha256].append(_sending(row, open_holds, accepted))
    return Past(by_identity, by_digest, holds_of_them)


def standing(conn: Connection, wanted: Mapping[int, Collection[Identity]]) -> dict[tuple[int, Identity], Standing]:
    """The rows that there are now of the identities of each account (id), with their states."""
    identities = {(one.number, one.date, one.ps_number) for some in wanted.values() for one in some}
    given: dict[str, Any] = {"wanted": json.dumps([*identities])}
    if conn.dialect.name == "postgresql":
        given = {part: [identity[place] for identity in identities] for place, part in enumerate(_WANTED)}
    rows = conn.execute(_STANDING[conn.dialect.name], given)
    found = defaultdict[tuple[int, Identity], set[tuple[int, str]]](set)
    for row in rows:
        found[row.practitioner_id, Identity(row.ps_number, row.number, row.lot_date)].add((row.id, row.state))
    return {key: frozenset(rows) for key, rows in found.items()}


def lock(conn: Connection, practitioner_ids: Collection[int], hold_ids: Collection[int]) -> None:
    """Keeps other messages of these accounts, and decisions on these holds, waiting until the transaction ends.

    On SQLite the transaction is alone already.
    """
    if conn.dialect.name != "postgresql":
        return
    accounts = select(practitioners.c.id).where(practitioners.c.id.in_(practitioner_ids))
    conn.execute(accounts.order_by(practitioners.c.id).with_for_update(key_share=True)).all()
    if hold_ids:
        chosen = select(holds.c.id).where(holds.c.id.in_(hold_ids))
        conn.execute(chosen.order_by(holds.c.id).with_for_update()).all()


def held_lots(conn: Connection, hold_ids: Collection[int]) -> dict[int, HeldLots]:
    """What waits in those of these holds that are open, whatever message it came with; one without lots is left out."""
    waiting = defaultdict[int, set[int]](set)
    undivided = set[int]()
    for link in (lots.c.hold_id == holds.c.id, lots.c.consignment_id == holds.c.consignment_id) if hold_ids else ():
        rows = conn.execute(
            select(holds.c.id.label("hold_id"), lots.c.id, lots.c.kind, files.c.shape)
            .join(lots, link)
            .outerjoin(files, files.c.id == lots.c.file_id)
            .where(holds.c.id.in_(hold_ids), holds.c.closed_at.is_(None), lots.c.state.in_(STILL_TO_LEAVE))
        )
        for row in rows:
            waiting[row.hold_id].add(row.id)
            if row.shape == Shape.SOURCE and row.kind != LotKind.AMC:
                undivided.add(row.hold_id)
    return {hold_id: HeldLots(frozenset(ids), hold_id in undivided) for hold_id, ids in waiting.items()}


def acknowledgements(conn: Connection, practitioner_id: int, lot_ids: Collection[int]) -> dict[int, Consignment]:
    """For each of these lots, the sending to the practitioner of the newest ARL that accepts it.

    An ARL whose content was destroyed (its retention has ended) is left out.
    """
    newest = (
        select(return_lots.c.lot_id, func.max(returns.c.id).label("return_id"))
        .join(returns, returns.c.id == return_lots.c.return_id)
        .where(
            return_lots.c.lot_id.in_(lot_ids),
            return_lots.c.outcome.in_(ACCEPTED),
            returns.c.kind == "ARL",
            returns.c.practitioner_id == practitioner_id,
        )
        .group_by(return_lots.c.lot_id)
        .subquery()
    )
    rows = conn.execute(
        select(newest.c.lot_id, *columns(consignments, Consignment))
        .join(returns, returns.c.id == newest.c.return_id)
        .join(consignments, consignments.c.id == returns.c.consignment_id)
        .join(payloads, payloads.c.id == consignments.c.payload_id)
        .where(payloads.c.destroyed_at.is_(None))
    )
    return {lot_id: Consignment(*fields) for lot_id, *fields in rows}


def _groups(identities: Collection[Identity]) -> Iterator[dict[str, Any]]:
    """What to bind to `_NAMED`, so that the index serves: SQLite scans the table for (a, b, c) IN (VALUES…)."""
    by_day = defaultdict[tuple[str, str], list[str]](list)
    for identity in identities:
        by_day[identity.ps_number, identity.date].append(identity.number)
    for (ps_number, date), numbers in by_day.items():
        yield {"numbers": numbers, "date": date, "ps": ps_number}


def _derived(conn: Connection, message_ids: Collection[int], digests: Collection[bytes]) -> Sequence[_Row]:
    """Lots of the AMC flow, made of the same received lots."""
    return conn.execute(
        _SENDING.where(
            lots.c.message_id.in_(message_ids), lots.c.kind == LotKind.AMC, lots.c.received_sha256.in_(digests)
        )
    ).all()


def _sending(row: _Row, open_holds: Mapping[tuple[str, int], int], accepted: Mapping[int, int]) -> Sending:
    failed = row.consignment_state == ConsignmentState.FAILED
    held_in = ("consignment", row.consignment_id) if failed else ("hold", row.hold_id)
    return Sending(
        lot_id=row.id,
        first_lot_id=row.first_lot_id,
        insurer_id=row.insurer_id,
        digest=row.received_sha256,
        state=LotState(row.state),
        received_at=row.received_at,
        trace=row.trace,
        delivered_at=row.delivered_at,
        acknowledged_at=accepted.get(row.id, row.state_at if row.state in ACCEPTED else None),
        failed=failed,
        hold_id=open_holds.get(held_in) if row.state in STILL_TO_LEAVE else None,
    )


def _open_holds(conn: Connection, rows: Sequence[_Row]) -> dict[tuple[str, int], int]:
    """The open holds in which these lots wait: by their own id, or by that of the consignment that failed."""
    hold_ids = {row.hold_id for row in rows if row.hold_id is not None}
    failed = {row.consignment_id for row in rows if row.consignment_state == ConsignmentState.FAILED}
    if not hold_ids and not failed:
        return {}
    found = conn.execute(
        select(holds.c.id, holds.c.consignment_id).where(
            holds.c.closed_at.is_(None), or_(holds.c.id.in_(hold_ids), holds.c.consignment_id.in_(failed))
        )
    )
    return {
        ("hold", row.id) if row.consignment_id is None else ("consignment", row.consignment_id): row.id for row in found
    }


def _accepted(conn: Connection, lot_ids: Collection[int]) -> dict[int, int]:
    """When the first return that accepts each lot came in."""
    rows = conn.execute(
        select(return_lots.c.lot_id, func.min(returns.c.received_at))
        .join(returns, returns.c.id == return_lots.c.return_id)
        .where(return_lots.c.lot_id.in_(lot_ids), return_lots.c.outcome.in_(ACCEPTED))
        .group_by(return_lots.c.lot_id)
    )
    return {lot_id: at for lot_id, at in rows}  # noqa: C416 - dict() wants tuples, rows are like them
