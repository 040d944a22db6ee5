"""What a message comes to, as rows: made before the transaction that writes them (`writing`), which has one writer.

They lack only what the database numbers: the payload, consignment, file or hold that a row belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oct.domain.journey import LotState
from oct.domain.model import Insurer
from oct.domain.plan import Planned
from oct.steps.claims.dispatch import Departure, Dispatch
from oct.steps.claims.gathering import Gathering
from oct.steps.claims.invoice_rows import invoice_rows
from oct.steps.claims.resending import lot_names
from oct.store import events
from oct.store.consignments import NewConsignment
from oct.store.lots import Lot as KeptLot
from oct.store.lots import NewInvoice, NewLot
from oct.store.messages import Message
from oct.store.payloads import NewPayload


@dataclass(frozen=True, slots=True)
class LotRows:
    """A lot with its invoices. `known`: the row that it has already, for it was held; it moves, others are new."""

    row: NewLot
    invoices: list[NewInvoice]
    planned: Planned
    known: KeptLot | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The rows of a message: consignments and the data of the events that tell of them, one for each departure; the
    lots of each departure, gathering and detention, in this order, and last those that are in none."""

    message: Message
    dispatch: Dispatch
    consignments: list[tuple[NewConsignment, NewPayload]]
    told: list[str]
    lots: list[list[LotRows]]


def prepare(message: Message, dispatch: Dispatch, now: int, known: Mapping[int, KeptLot] | None = None) -> Prepared:
    """The rows of what a message comes to. `known` leads from the rank of a lot in its hold to the row it has."""
    make = _Lots(message, dispatch, known or {}, now)
    leaving: tuple[Departure | Gathering, ...] = (*dispatch.departures, *dispatch.gatherings)
    stay = [
        *(make.rows((one.lot,), LotState.REFUSED_HERE, None, one.reason.code) for one in dispatch.rejections),
        *(make.rows((one.lot,), LotState.DUPLICATE, one.insurer, one.lot.history.verdict) for one in dispatch.known),
    ]
    return Prepared(
        message,
        dispatch,
        [(_consignment(message, departure, now), departure.payload) for departure in dispatch.departures],
        [_sealed(departure) for departure in dispatch.departures],
        [
            *(make.rows(one.lots, LotState.SENT, one.insurer) for one in leaving),
            *(make.rows(one.lots, LotState.HELD, one.insurer, one.reason.code) for one in dispatch.detentions),
            [rows for some in stay for rows in some],
        ],
    )


class _Lots:
    """Makes the rows of a message's lots."""

    def __init__(self, message: Message, dispatch: Dispatch, known: Mapping[int, KeptLot], now: int) -> None:
        self._message = message
        self._patients = dispatch.patients
        self._known = known
        self._now = now

    def rows(
        self, planned: Sequence[Planned], state: LotState, insurer: Insurer | None, code: str = ""
    ) -> list[LotRows]:
        """In a state, with the code that explains it."""
        return [self._of(lot, state, insurer, code) for lot in planned]

    def _of(self, planned: Planned, state: LotState, insurer: Insurer | None, code: str) -> LotRows:
        source, derived, made = planned.source, planned.derived, planned.made
        held = self._known.get(source.rank)
        invoices = invoice_rows(planned, self._patients)
        row = NewLot(
            message_id=self._message.id,
            file_id=None,
            rank=source.rank if held is None else held.rank,
            kind=planned.kind,
            ps_number=source.ps_number,
            practitioner_id=self._message.practitioner_id,
            organism=source.organism,
            number=derived.number if derived is not None else source.number,
            lot_date=derived.created_on if derived is not None else source.created_on,
            sha256=made.sha256 if made is not None else planned.digest,
            received_sha256=planned.digest,
            size=made.size if made is not None else source.stop - source.start,
            invoice_count=len(invoices),
            billed=sum([invoice.billed for invoice in invoices]),
            amo=sum([invoice.amo for invoice in invoices]),
            amc=sum([invoice.amc for invoice in invoices]),
            insurer_id=insurer.id if insurer is not None else None,
            consignment_id=None,
            hold_id=None,
            state=state,
            code=code,
            state_at=self._now,
            first_lot_id=planned.history.first_lot_id,
        )
        return LotRows(row, invoices, planned, held if derived is None else None)


def _consignment(message: Message, departure: Departure, now: int) -> NewConsignment:
    return NewConsignment(
        message_id=message.id,
        kind=departure.kind,
        recipient=departure.insurer.address,
        message_uid=departure.message_id,
        payload_id=0,
        size=departure.payload.size,
        sha256=departure.payload.sha256,
        created_at=now,
        due_at=now,
        insurer_id=departure.insurer.id,
        compostage=departure.compostage,
        file_id=departure.file_id,
    )


def _sealed(departure: Departure) -> str:
    return events.written(
        {
            "destinataire": departure.insurer.address,
            "fichier": departure.file_id,
            "compostage": departure.compostage,
            "lots": lot_names(departure.lots),
            "sha256_fichier": departure.file_sha256.hex(),
            "sha256_message": departure.payload.sha256.hex(),
            "taille": departure.payload.size,
        }
    )
