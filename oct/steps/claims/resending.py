"""Writes what re-sent lots lead to, in the transaction that writes their message (D2, D3).

Lots that wait in a hold give way to their new sending and point to it, and a hold without lots is closed; the stored
ARL goes out again; and the trace says of every lot that was received before what it was taken for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from sqlalchemy import Connection

from oct.domain.duplicates import Verdict
from oct.domain.plan import Planned
from oct.store import consignments, events, holds, lots, sendings
from oct.store.consignments import Consignment, NewConsignment
from oct.store.events import Event
from oct.store.messages import Message

_REPLACED = "remplace"


def write_replaced(conn: Connection, message: Message, written: Sequence[tuple[int, Planned]], now: int) -> None:
    """Takes out of their holds the lots that come again; `written` are the new ones with the ids of their rows."""
    replaced = {sending.lot_id: lot_id for lot_id, planned in written for sending in planned.history.replaces}
    if not replaced:
        return
    divided = {sending.hold_id for _, planned in written for sending in planned.history.replaces if sending.hold_id}
    lots.replace(conn, replaced, now)
    emptied = sorted(divided - sendings.held_lots(conn, divided).keys())
    for hold_id in emptied:
        holds.close(conn, hold_id, _REPLACED, now)
    told = [
        Event(
            at=now,
            kind="decision",
            outcome=_REPLACED,
            message_id=story,
            practitioner_id=message.practitioner_id,
            data={
                "retenues": sorted(divided),
                "retenues_closes": emptied,
                "lots_remplaces": sorted(replaced),
                "remplacants": [replaced[lot_id] for lot_id in sorted(replaced)],
                "suivi": message.trace,
            },
        )
        for story in sorted({message.id, *lots.messages_of(conn, replaced)})
    ]
    events.append(conn, told)


def write_arls(conn: Connection, message: Message, arls: Iterable[Consignment], now: int) -> None:
    """Puts stored ARL into the queue again, each once: the same bytes, for the addresses that they bear now."""
    consignments.insert_many(
        conn,
        [
            NewConsignment(
                message_id=message.id,
                kind=arl.kind,
                recipient=arl.recipient,
                message_uid=arl.message_uid,
                payload_id=arl.payload_id,
                size=arl.size,
                sha256=arl.sha256,
                created_at=now,
                due_at=now,
                practitioner_id=arl.practitioner_id,
                compostage=arl.compostage,
            )
            for arl in {arl.id: arl for arl in arls}.values()
        ],
    )


def resending_events(message: Message, planned: Iterable[Planned], now: int) -> list[Event]:
    """One event for each verdict on lots that were received before."""
    again = sorted(
        (lot for lot in planned if lot.history.verdict is not Verdict.NEW), key=lambda lot: lot.history.verdict
    )
    return [
        _event(message, verdict, list(group), now)
        for verdict, group in groupby(again, key=lambda lot: lot.history.verdict)
    ]


def lot_names(planned: Iterable[Planned]) -> list[str]:
    """How the trace names lots."""
    return [
        f"{lot.source.ps_number}/{lot.derived.number if lot.derived is not None else lot.source.number}/{lot.kind}"
        for lot in planned
    ]


def _event(message: Message, verdict: Verdict, lots_again: Sequence[Planned], now: int) -> Event:
    first = [lot.history.first for lot in lots_again]
    return Event(
        at=now,
        kind="reemission",
        outcome=verdict,
        message_id=message.id,
        practitioner_id=message.practitioner_id,
        data={
            "lots": lot_names(lots_again),
            "suivis": [sending.trace if sending is not None else "" for sending in first],
            "lots_anterieurs": [sending.lot_id if sending is not None else None for sending in first],
        },
    )
