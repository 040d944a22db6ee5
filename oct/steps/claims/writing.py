"""Writes what messages come to: consignments, holds, lots and their events, in the caller's transaction.

Takes what `dispatch` made of each message; rows of one table go in together, whatever messages they are of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import Connection

from oct.domain.journey import LotState
from oct.domain.model import Insurer
from oct.domain.plan import Planned
from oct.steps.claims.dispatch import Departure, Detention, Dispatch, Rejection
from oct.steps.claims.gathering import write_gatherings
from oct.steps.claims.invoice_rows import invoice_rows
from oct.steps.claims.resending import lot_names, resending_events, write_arls, write_replaced
from oct.steps.workshop import Workshop
from oct.store import consignments, events, holds, lots, payloads
from oct.store.consignments import NewConsignment
from oct.store.events import Event
from oct.store.holds import NewHold
from oct.store.lots import Lot as KeptLot
from oct.store.lots import NewInvoice, NewLot
from oct.store.messages import Message


@dataclass(frozen=True, slots=True)
class Entry:
    """What a message comes to, to be written with the row of its file. `known` leads from the rank of a lot in its hold
    to the row it already has: it moves, others are new."""

    message: Message
    file_row: int | None
    dispatch: Dispatch
    known: Mapping[int, KeptLot] = field(default_factory=dict)


def write_dispatch(
    conn: Connection,
    workshop: Workshop,
    message: Message,
    file_row: int | None,
    dispatch: Dispatch,
    known: Mapping[int, KeptLot] | None = None,
) -> list[int]:
    """Writes what one message comes to, as `write_dispatches` does; gives the ids of the consignments, in order."""
    return write_dispatches(conn, workshop, [Entry(message, file_row, dispatch, known or {})])[0]


def write_dispatches(conn: Connection, workshop: Workshop, entries: Sequence[Entry]) -> list[list[int]]:
    """Writes consignments, holds, lots and their events, those of all messages together where that is possible; gives
    the ids of each one's consignments, in order."""
    now = workshop.clock()
    departing = [(entry.message, departure) for entry in entries for departure in entry.dispatch.departures]
    ids = iter(_write_departures(conn, departing, now))
    sent = [list(islice(ids, len(entry.dispatch.departures))) for entry in entries]
    writers = [_LotWriter(entry, now) for entry in entries]
    told: list[Event] = []
    for entry, own, writer in zip(entries, sent, writers, strict=True):
        for departure, consignment_id in zip(entry.dispatch.departures, own, strict=True):
            writer.add(departure.lots, LotState.SENT, insurer=departure.insurer, consignment_id=consignment_id)
            told.append(_sealed_event(entry.message, departure, consignment_id, now))
        told += _write_what_stays(conn, entry, writer, now)
    events.append(conn, told)
    for entry, written in zip(entries, _write_lots(conn, writers), strict=True):
        write_replaced(conn, entry.message, written, now)
        write_arls(conn, entry.message, entry.dispatch.arls.values(), now)
    again = [event for entry in entries for event in resending_events(entry.message, entry.dispatch.lots, now)]
    events.append(conn, again)
    return sent


def _write_what_stays(conn: Connection, entry: Entry, writer: _LotWriter, now: int) -> list[Event]:
    """What waits, is refused or was known before; the events that say so."""
    message, dispatch = entry.message, entry.dispatch
    told: list[Event] = []
    gathering_ids = write_gatherings(conn, message, dispatch.gatherings, now)
    for gathering, consignment_id in zip(dispatch.gatherings, gathering_ids, strict=True):
        writer.add(gathering.lots, LotState.SENT, insurer=gathering.insurer, consignment_id=consignment_id)
    for detention in dispatch.detentions:
        hold_id = _write_detention(conn, message, detention, now)
        writer.add(
            detention.lots, LotState.HELD, insurer=detention.insurer, hold_id=hold_id, code=detention.reason.code
        )
        told.append(_held_event(message, detention, hold_id, now))
    for rejection in dispatch.rejections:
        writer.add((rejection.lot,), LotState.REFUSED_HERE, code=rejection.reason.code)
        told.append(_refused_event(message, rejection, now))
    for one in dispatch.known:
        writer.add((one.lot,), LotState.DUPLICATE, insurer=one.insurer, code=one.lot.history.verdict)
    return told


def _write_departures(conn: Connection, departing: Sequence[tuple[Message, Departure]], now: int) -> list[int]:
    payload_ids = payloads.insert_many(conn, [departure.payload for _, departure in departing], now)
    return consignments.insert_many(
        conn,
        [
            NewConsignment(
                message_id=message.id,
                kind=departure.kind,
                recipient=departure.insurer.address,
                message_uid=departure.message_id,
                payload_id=payload_id,
                size=departure.payload.size,
                sha256=departure.payload.sha256,
                created_at=now,
                due_at=now,
                insurer_id=departure.insurer.id,
                compostage=departure.compostage,
                file_id=departure.file_id,
            )
            for (message, departure), payload_id in zip(departing, payload_ids, strict=True)
        ],
    )


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


class _LotWriter:
    """Gathers the rows of a message's lots."""

    def __init__(self, entry: Entry, now: int) -> None:
        self._now = now
        self._message = entry.message
        self._file_row = entry.file_row
        self._known = entry.known
        self._patients = entry.dispatch.patients
        self.new: list[tuple[NewLot, list[NewInvoice], Planned]] = []
        self.moved: list[tuple[int, NewLot]] = []

    def add(
        self,
        planned: Sequence[Planned],
        state: LotState,
        *,
        insurer: Insurer | None = None,
        consignment_id: int | None = None,
        hold_id: int | None = None,
        code: str = "",
    ) -> None:
        for lot in planned:
            row = self._row(lot, state, code, insurer, consignment_id, hold_id)
            known = self._known.get(lot.source.rank) if lot.derived is None else None
            if known is None:
                self.new.append((row, invoice_rows(lot, self._patients), lot))
            else:
                self.moved.append((known.id, row))

    def _row(
        self,
        planned: Planned,
        state: LotState,
        code: str,
        insurer: Insurer | None,
        consignment_id: int | None,
        hold_id: int | None,
    ) -> NewLot:
        source, derived = planned.source, planned.derived
        made = derived.invoices if derived is not None else source.invoices
        held = self._known.get(source.rank)
        return NewLot(
            message_id=self._message.id,
            file_id=self._file_row,
            rank=source.rank if held is None else held.rank,
            kind=planned.kind,
            ps_number=source.ps_number,
            practitioner_id=self._message.practitioner_id,
            organism=source.organism,
            number=derived.number if derived is not None else source.number,
            lot_date=derived.created_on if derived is not None else source.created_on,
            sha256=planned.made.sha256 if planned.made is not None else planned.digest,
            received_sha256=planned.digest,
            size=planned.made.size if planned.made is not None else source.stop - source.start,
            invoice_count=len(made),
            billed=sum(invoice.billed for invoice in made),
            amo=sum(invoice.amo for invoice in made),
            amc=sum(invoice.amc for invoice in made),
            insurer_id=insurer.id if insurer is not None else None,
            consignment_id=consignment_id,
            hold_id=hold_id,
            state=state,
            code=code,
            state_at=self._now,
            first_lot_id=planned.history.first_lot_id,
        )


def _write_lots(conn: Connection, writers: Iterable[_LotWriter]) -> list[list[tuple[int, Planned]]]:
    """Writes the rows of all messages, each one's in order of arrival; gives the new ones' ids, with their lots."""
    new, moved = [], []
    for writer in writers:
        new.append(sorted(writer.new, key=lambda one: one[0].rank))
        moved += writer.moved
    ids = iter(lots.insert_many(conn, [(row, invoices) for own in new for row, invoices, _ in own]))
    for lot_id, row in moved:
        lots.move(conn, lot_id, row)
    return [[(next(ids), planned) for _, _, planned in own] for own in new]


def _sealed_event(message: Message, departure: Departure, consignment_id: int, now: int) -> Event:
    return Event(
        at=now,
        kind="scelle",
        outcome="pret",
        message_id=message.id,
        consignment_id=consignment_id,
        insurer_id=departure.insurer.id,
        data={
            "destinataire": departure.insurer.address,
            "fichier": departure.file_id,
            "compostage": departure.compostage,
            "lots": lot_names(departure.lots),
            "sha256_fichier": departure.file_sha256.hex(),
            "sha256_message": departure.payload.sha256.hex(),
            "taille": departure.payload.size,
        },
    )


def _held_event(message: Message, detention: Detention, hold_id: int, now: int) -> Event:
    return Event(
        at=now,
        kind="retenu",
        outcome=detention.reason.code[:12],
        message_id=message.id,
        insurer_id=detention.insurer.id if detention.insurer is not None else None,
        data={"retenue": hold_id, "motif": detention.reason.code, "lots": lot_names(detention.lots)},
    )


def _refused_event(message: Message, rejection: Rejection, now: int) -> Event:
    return Event(
        at=now,
        kind="lot_refuse",
        outcome="refuse",
        message_id=message.id,
        data={
            "lots": lot_names((rejection.lot,)),
            "motif": rejection.reason.code,
            "regle": rejection.reason.rule,
        },
    )
