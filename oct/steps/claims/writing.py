"""Writes what messages come to: consignments, holds, lots and their events, in the caller's transaction.

Takes the rows that `rows` made of what `dispatch` says of each message; those of one table go in together, whatever
messages they are of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection

from oct.domain.plan import Planned
from oct.steps.claims.dispatch import Detention, Dispatch, Rejection
from oct.steps.claims.gathering import write_gatherings
from oct.steps.claims.resending import lot_names, resending_events, write_arls, write_replaced
from oct.steps.claims.rows import LotRows, Prepared, prepare
from oct.steps.texts import SealedText
from oct.steps.workshop import Workshop
from oct.store import consignments, events, holds, lots, payloads
from oct.store.events import EventRow
from oct.store.holds import NewHold
from oct.store.lots import Lot as KeptLot
from oct.store.lots import NewLot
from oct.store.messages import Message


@dataclass(frozen=True, slots=True)
class Entry:
    """What a message comes to, to be written with the row of its file, and the text that says so if there is one."""

    prepared: Prepared
    file_row: int | None
    text: SealedText | None = None


def write_dispatch(
    conn: Connection,
    workshop: Workshop,
    message: Message,
    file_row: int | None,
    dispatch: Dispatch,
    known: Mapping[int, KeptLot],
) -> list[int]:
    """Writes what a message comes to whose lots were held (`known`, as `prepare` wants them); gives the ids of the
    consignments, in order."""
    now = workshop.clock()
    sent, _ = write_dispatches(conn, [Entry(prepare(message, dispatch, now, known), file_row)], now)
    return sent


def write_dispatches(conn: Connection, entries: Sequence[Entry], now: int) -> tuple[list[int], list[int]]:
    """Writes consignments, holds, lots and their events, those of all messages together where that is possible; gives
    the ids of the consignments, and apart those of the texts, in the order of the messages."""
    ready = [one for entry in entries for one in entry.prepared.consignments]
    texts = [(entry.text.consignment, entry.text.payload) for entry in entries if entry.text is not None]
    ids = consignments.insert_sealed(conn, [*ready, *texts], now)
    sent = iter(ids)
    placed = [_place(conn, entry, list(islice(sent, len(entry.prepared.consignments))), now) for entry in entries]
    events.append_rows(conn, [event for one in placed for event in one.told])
    for entry, written in zip(entries, _write_lots(conn, placed), strict=True):
        write_replaced(conn, entry.prepared.message, written, now)
        write_arls(conn, entry.prepared.message, entry.prepared.dispatch.arls.values(), now)
    again = [
        event
        for entry in entries
        for event in resending_events(entry.prepared.message, entry.prepared.dispatch.lots, now)
    ]
    events.append(conn, again)
    return ids[: len(ready)], ids[len(ready) :]


@dataclass(frozen=True, slots=True)
class _Placed:
    """The rows of a message's lots, in order of arrival, with what they belong to; and the events that say it."""

    lots: list[tuple[NewLot, LotRows]]
    told: list[EventRow]


def _place(conn: Connection, entry: Entry, sent: Sequence[int], now: int) -> _Placed:
    """Writes what waits; `sent` are the consignments of what leaves."""
    prepared = entry.prepared
    message, dispatch = prepared.message, prepared.dispatch
    gathered = write_gatherings(conn, message, dispatch.gatherings, now) if dispatch.gatherings else []
    held = [_write_detention(conn, message, detention, now) for detention in dispatch.detentions]
    told = [
        EventRow(one.created_at, "scelle", "pret", message.id, row_id, insurer_id=one.insurer_id, data=data)
        for (one, _), row_id, data in zip(prepared.consignments, sent, prepared.told, strict=True)
    ]
    told += [_held_event(message, *one, now) for one in zip(dispatch.detentions, held, strict=True)]
    told += [_refused_event(message, rejection, now) for rejection in dispatch.rejections]
    carriers = [
        *((row_id, None) for row_id in (*sent, *gathered)),
        *((None, hold_id) for hold_id in held),
        (None, None),
    ]
    rows = [
        (one.row._replace(file_id=entry.file_row, consignment_id=consignment_id, hold_id=hold_id), one)
        for some, (consignment_id, hold_id) in zip(prepared.lots, carriers, strict=True)
        for one in some
    ]
    return _Placed(sorted(rows, key=lambda pair: pair[0].rank), told)


def _write_lots(conn: Connection, placed: Sequence[_Placed]) -> list[list[tuple[int, Planned]]]:
    """Writes the lots of all messages; gives the new ones' ids, with what was planned, message by message."""
    new = [[(row, lot) for row, lot in one.lots if lot.known is None] for one in placed]
    ids = iter(lots.insert_many(conn, [(row, lot.invoices) for own in new for row, lot in own]))
    for row, lot in (pair for one in placed for pair in one.lots):
        if lot.known is not None:
            lots.move(conn, lot.known.id, row)
    return [[(next(ids), lot.planned) for _, lot in own] for own in new]


def _write_detention(conn: Connection, message: Message, detention: Detention, now: int) -> int:
    (payload_id,) = payloads.insert_many(conn, [detention.payload], now)
    return holds.open_hold(
        conn,
        NewHold(
            opened_at=now,
            subject=detention.subject,
            message_id=message.id,
            code=detention.reason.code,
            sentence=detention.reason.describe(),
            payload_id=payload_id,
            insurer_id=detention.insurer.id if detention.insurer is not None else None,
        ),
    )


def _held_event(message: Message, detention: Detention, hold_id: int, now: int) -> EventRow:
    return EventRow(
        at=now,
        kind="retenu",
        outcome=detention.reason.code[:12],
        message_id=message.id,
        insurer_id=detention.insurer.id if detention.insurer is not None else None,
        data=events.written(
            {"retenue": hold_id, "motif": detention.reason.code, "lots": lot_names(detention.lots)},
        ),
    )


def _refused_event(message: Message, rejection: Rejection, now: int) -> EventRow:
    return EventRow(
        at=now,
        kind="lot_refuse",
        outcome="refuse",
        message_id=message.id,
        data=events.written(
            {
                "lots": lot_names((rejection.lot,)),
                "motif": rejection.reason.code,
                "regle": rejection.reason.rule,
            }
        ),
    )
