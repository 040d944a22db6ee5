"""What `process` and `release` share: a plan becomes sealed messages and holds, and these become rows.

`seal_plan` is pure CPU, outside of any transaction: it builds each file, encrypts it to its insurer, and turns what
cannot be encrypted to (no certificate, a bad one: H8) into a hold of the finished file. `write_dispatch` writes all
of it in the caller's transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cryptography import x509
from sqlalchemy import Connection

from oct.clock import utc
from oct.domain.contents import content_of, weighed
from oct.domain.journey import LotState
from oct.domain.model import Insurer
from oct.domain.outgoing import OutgoingFile, outgoing_file
from oct.domain.plan import Known, Parcel, Plan, Planned, SplitContext, Waiting
from oct.domain.routing import kind_of
from oct.envelope.sealing import Packed, Sealed, pack, seal_packed
from oct.errors import CertificateError, OctError
from oct.formats.b2 import B2File, Lot, write_file
from oct.formats.layouts import RECORD
from oct.steps.claims.gathering import Gathering, gather_outgoing, write_gatherings
from oct.steps.claims.invoice_rows import invoice_rows, pseudonyms_in
from oct.steps.claims.resending import lot_names, resending_events, write_arls, write_replaced
from oct.steps.workshop import Workshop
from oct.store import consignments, events, holds, lots, payloads
from oct.store.consignments import Consignment, NewConsignment
from oct.store.events import Event
from oct.store.holds import HoldSubject, NewHold
from oct.store.lots import Lot as KeptLot
from oct.store.lots import NewInvoice, NewLot
from oct.store.messages import Message
from oct.store.payloads import NewPayload
from oct.store.registry import Snapshot


@dataclass(frozen=True, slots=True)
class Departure:
    """A file that leaves: what is said of it and of its message, the message encrypted at rest, the lots it carries."""

    insurer: Insurer
    file: OutgoingFile
    sealed: Sealed
    payload: NewPayload
    lots: tuple[Planned, ...]
    kind: str = "facture"
    """Of the consignment: `facture`, or `flux` for a file that is passed on unread (O2)."""


@dataclass(frozen=True, slots=True)
class Detention:
    """What waits for a person: the bytes that wait, for whom if that is known, and the lots in them."""

    subject: HoldSubject
    reason: OctError
    payload: NewPayload
    insurer: Insurer | None
    lots: tuple[Planned, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A lot that does not leave because it breaks a rule."""

    reason: OctError
    lot: Planned


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Everything that a plan comes to."""

    departures: tuple[Departure, ...] = ()
    gatherings: tuple[Gathering, ...] = ()
    """What leaves later, in one file with others (A15)."""
    detentions: tuple[Detention, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    known: tuple[Known, ...] = ()
    """Lots that need not leave again (D2)."""
    patients: Mapping[int, bytes] = field(default_factory=dict)
    """For each lot of the file, by its rank, the pseudonyms of its invoices' patients, one after the other (J4)."""
    arls: Mapping[int, Consignment] = field(default_factory=dict)
    """For lots accepted earlier (ids), the sending of their ARL that goes out again."""

    @property
    def lots(self) -> tuple[Planned, ...]:
        """Every lot, but for those refused."""
        ready: tuple[Departure | Gathering, ...] = (*self.departures, *self.gatherings)
        leaving = [lot for one in ready for lot in one.lots]
        held = [lot for detention in self.detentions for lot in detention.lots]
        return (*leaving, *held, *(known.lot for known in self.known))


def seal_plan(
    workshop: Workshop, file: B2File, plan: Plan, snapshot: Snapshot, version: str, *, gathers: bool = False
) -> Dispatch:
    """Builds and seals what leaves. `version` is that of the cahier des charges, 6 digits, as the Subject gave it.

    `gathers`: files that are built here wait for others of their destination (A15).
    """
    context = workshop.split_context(snapshot)
    packed = [
        _pack_parcel(workshop, file, parcel, snapshot, version, context, gathers=gathers) for parcel in plan.parcels
    ]
    departures = [_depart(workshop, one, version) for one in packed if isinstance(one, _Packed)]
    gatherings = [one for one in packed if isinstance(one, Gathering)]
    detentions = [one for one in packed if isinstance(one, Detention)]
    detentions += [_detained_lots(workshop, file, waiting, context) for waiting in plan.waiting]
    rejections = tuple(Rejection(refused.reason, _refused(workshop, file, refused.lot)) for refused in plan.refused)
    known = [replace(one, lot=weighed(one.lot, content_of(file, one.lot, context))) for one in plan.known]
    return Dispatch(
        departures=tuple(departures),
        gatherings=tuple(gatherings),
        detentions=tuple(detentions),
        rejections=rejections,
        known=tuple(known),
        patients=pseudonyms_in(workshop, file),
    )


@dataclass(frozen=True, slots=True)
class _Packed:
    """A file that may leave. Of the bytes of a large one, what is packed is all that stays."""

    parcel: Parcel
    file: OutgoingFile
    content: Packed
    certificate: x509.Certificate


def _pack_parcel(
    workshop: Workshop,
    file: B2File,
    parcel: Parcel,
    snapshot: Snapshot,
    version: str,
    context: SplitContext,
    *,
    gathers: bool,
) -> _Packed | Gathering | Detention:
    """What becomes of a parcel: it leaves now, or with others, or waits for a certificate (H8)."""
    contents = [content_of(file, lot, context) for lot in parcel.lots]
    outgoing = outgoing_file(file, parcel, contents, context, file_id=workshop.numbering.next_file_id())
    parcel = replace(parcel, lots=tuple(map(weighed, parcel.lots, contents)))
    try:
        certificate = snapshot.certificate_for(parcel.insurer.address, utc(workshop.clock()))
    except CertificateError as reason:
        kept = payloads.seal(workshop.vault, outgoing.content)
        return Detention(HoldSubject.FILE, reason, kept, parcel.insurer, parcel.lots)
    if gathers and parcel.built:
        return gather_outgoing(workshop, outgoing, parcel, version)
    return _Packed(parcel, replace(outgoing, pieces=()), pack(outgoing, parcel.insurer), certificate)


def _depart(workshop: Workshop, packed: _Packed, version: str) -> Departure:
    insurer = packed.parcel.insurer
    sealed = _seal(workshop, packed.content, insurer, packed.certificate, version)
    kept = payloads.seal(workshop.vault, sealed.content)
    return Departure(insurer, packed.file, replace(sealed, content=b""), kept, packed.parcel.lots)


def _refused(workshop: Workshop, file: B2File, lot: Lot) -> Planned:
    return Planned(lot, kind_of(lot, workshop.conventions), digest=hashlib.sha256(file.view(lot)).digest())


def seal_outgoing(
    workshop: Workshop,
    outgoing: OutgoingFile,
    insurer: Insurer,
    snapshot: Snapshot,
    version: str,
    description: str = "FACTURE/SV",
) -> Sealed | CertificateError:
    """The message that carries a file to its insurer, or why nothing may be encrypted to that insurer now."""
    try:
        certificate = snapshot.certificate_for(insurer.address, utc(workshop.clock()))
    except CertificateError as error:
        return error
    return _seal(workshop, pack(outgoing, insurer), insurer, certificate, version, description)


def _seal(
    workshop: Workshop,
    packed: Packed,
    insurer: Insurer,
    certificate: x509.Certificate,
    version: str,
    description: str = "FACTURE/SV",
) -> Sealed:
    return seal_packed(
        packed,
        insurer,
        certificate,
        sender=workshop.rules.address,
        version=version,
        compostage=workshop.numbering.next_compostage(workshop.clock()),
        date=workshop.now_in_paris(),
        description=description,
    )


def _detained_lots(workshop: Workshop, file: B2File, waiting: Waiting, context: SplitContext) -> Detention:
    """Lots wait inside a file of their own, under the header they came with, so that they can be read again."""
    contents = [content_of(file, lot, context) for lot in waiting.lots]
    if waiting.whole is not None:
        content, subject = waiting.whole, HoldSubject.FILE
    else:
        content, subject = write_file(file.data[:RECORD], contents, workshop.layouts), HoldSubject.LOT
    lots = tuple(map(weighed, waiting.lots, contents))
    return Detention(subject, waiting.reason, payloads.seal(workshop.vault, content), None, lots)


def write_dispatch(
    conn: Connection,
    workshop: Workshop,
    message: Message,
    file_row: int | None,
    dispatch: Dispatch,
    known: Mapping[int, KeptLot] | None = None,
) -> list[int]:
    """Writes consignments, holds, lots and their events; gives the ids of the consignments, in order.

    `known` leads from the rank of a lot in its hold to the row it already has: it moves, others are new.
    """
    now = workshop.clock()
    writer = _LotWriter(workshop, message, file_row, known or {}, dispatch.patients)
    consignment_ids = _write_departures(conn, message, dispatch.departures, now)
    for departure, consignment_id in zip(dispatch.departures, consignment_ids, strict=True):
        writer.add(departure.lots, LotState.SENT, insurer=departure.insurer, consignment_id=consignment_id)
        events.append(conn, [_sealed_event(message, departure, consignment_id, now)])
    gathering_ids = write_gatherings(conn, message, dispatch.gatherings, now)
    for gathering, consignment_id in zip(dispatch.gatherings, gathering_ids, strict=True):
        writer.add(gathering.lots, LotState.SENT, insurer=gathering.insurer, consignment_id=consignment_id)
    for detention in dispatch.detentions:
        hold_id = _write_detention(conn, message, detention, now)
        writer.add(
            detention.lots, LotState.HELD, insurer=detention.insurer, hold_id=hold_id, code=detention.reason.code
        )
        events.append(conn, [_held_event(message, detention, hold_id, now)])
    for rejection in dispatch.rejections:
        writer.add((rejection.lot,), LotState.REFUSED_HERE, code=rejection.reason.code)
        events.append(conn, [_refused_event(message, rejection, now)])
    for one in dispatch.known:
        writer.add((one.lot,), LotState.DUPLICATE, insurer=one.insurer, code=one.lot.history.verdict)
    write_replaced(conn, message, writer.write(conn), now)
    write_arls(conn, message, dispatch.arls.values(), now)
    events.append(conn, resending_events(message, dispatch.lots, now))
    return consignment_ids


def _write_departures(conn: Connection, message: Message, departures: Sequence[Departure], now: int) -> list[int]:
    payload_ids = payloads.insert_many(conn, [departure.payload for departure in departures], now)
    return consignments.insert_many(
        conn,
        [
            NewConsignment(
                message_id=message.id,
                kind=departure.kind,
                recipient=departure.insurer.address,
                message_uid=departure.sealed.message_id,
                payload_id=payload_id,
                size=departure.payload.size,
                sha256=departure.payload.sha256,
                created_at=now,
                due_at=now,
                insurer_id=departure.insurer.id,
                compostage=departure.sealed.compostage,
                file_id=departure.file.file_id,
            )
            for departure, payload_id in zip(departures, payload_ids, strict=True)
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
    """Gathers the rows of a message's lots, in their order of arrival, and writes them at once."""

    def __init__(
        self,
        workshop: Workshop,
        message: Message,
        file_row: int | None,
        known: Mapping[int, KeptLot],
        patients: Mapping[int, bytes],
    ) -> None:
        self._now = workshop.clock()
        self._message = message
        self._file_row = file_row
        self._known = known
        self._patients = patients
        self._new: list[tuple[NewLot, list[NewInvoice], Planned]] = []
        self._moved: list[tuple[int, NewLot]] = []

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
                self._new.append((row, invoice_rows(lot, self._patients), lot))
            else:
                self._moved.append((known.id, row))

    def write(self, conn: Connection) -> list[tuple[int, Planned]]:
        """Writes the rows; gives the new ones' ids, with their lots."""
        self._new.sort(key=lambda new: new[0].rank)
        ids = lots.insert_many(conn, [(row, invoices) for row, invoices, _ in self._new])
        for lot_id, row in self._moved:
            lots.move(conn, lot_id, row)
        return [(lot_id, planned) for lot_id, (_, _, planned) in zip(ids, self._new, strict=True)]

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
            "fichier": departure.file.file_id,
            "compostage": departure.sealed.compostage,
            "lots": lot_names(departure.lots),
            "sha256_fichier": departure.sealed.file_sha256.hex(),
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
