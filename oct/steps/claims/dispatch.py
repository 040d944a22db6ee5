"""What `process` and `release` share: a plan becomes sealed messages and holds, which `writing` makes rows of.

`seal_plan` is pure CPU, outside of any transaction: it builds each file, encrypts it to its insurer, and turns what
cannot be encrypted to (no certificate, a bad one: H8) into a hold of the finished file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cryptography import x509

from oct.clock import utc
from oct.domain.contents import content_of, weighed
from oct.domain.model import Insurer
from oct.domain.outgoing import OutgoingFile, outgoing_file
from oct.domain.plan import Known, Parcel, Plan, Planned, SplitContext, Waiting
from oct.domain.routing import kind_of
from oct.envelope.sealing import Packed, Sealed, pack, seal_packed
from oct.errors import CertificateError, OctError
from oct.formats.b2 import B2File, Lot, write_file
from oct.formats.layouts import RECORD
from oct.steps.claims.gathering import Gathering, gather_outgoing
from oct.steps.claims.invoice_rows import pseudonyms_in
from oct.steps.workshop import Workshop
from oct.store import payloads
from oct.store.consignments import Consignment
from oct.store.holds import HoldSubject
from oct.store.payloads import NewPayload
from oct.store.registry import Snapshot


@dataclass(frozen=True, slots=True)
class Departure:
    """A file that leaves: what is said of it and of its message, the message encrypted at rest, the lots it carries."""

    insurer: Insurer
    file_id: str
    message_id: str
    compostage: str
    file_sha256: bytes
    """Of the file in clear."""
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
    workshop: Workshop,
    file: B2File,
    plan: Plan,
    snapshot: Snapshot,
    context: SplitContext,
    version: str,
    *,
    gathers: bool = False,
    arls: Mapping[int, Consignment] | None = None,
) -> Dispatch:
    """Builds and seals what leaves. `version` is that of the cahier des charges, 6 digits, as the Subject gave it.

    `gathers`: files that are built here wait for others of their destination (A15). `arls`: as in the Dispatch.
    """
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
        arls=arls or {},
    )


@dataclass(frozen=True, slots=True)
class _Packed:
    """A file that may leave. Of the bytes of a large one, what is packed is all that stays."""

    insurer: Insurer
    file_id: str
    content: Packed
    certificate: x509.Certificate
    lots: tuple[Planned, ...]


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
    insurer, lots = parcel.insurer, tuple(map(weighed, parcel.lots, contents))
    try:
        certificate = snapshot.certificate_for(insurer.address, utc(workshop.clock()))
    except CertificateError as reason:
        kept = payloads.seal(workshop.vault, outgoing.content)
        return Detention(HoldSubject.FILE, reason, kept, insurer, lots)
    if gathers and parcel.built:
        return gather_outgoing(workshop, outgoing, insurer, lots, version)
    return _Packed(insurer, outgoing.file_id, pack(outgoing, insurer), certificate, lots)


def _depart(workshop: Workshop, packed: _Packed, version: str) -> Departure:
    sealed = _seal(workshop, packed.content, packed.insurer, packed.certificate, version)
    return departure_of(workshop, sealed, packed.insurer, packed.file_id, packed.lots)


def departure_of(
    workshop: Workshop,
    sealed: Sealed,
    insurer: Insurer,
    file_id: str,
    lots: tuple[Planned, ...],
    kind: str = "facture",
) -> Departure:
    """A sealed message, encrypted at rest."""
    kept = payloads.seal(workshop.vault, sealed.content)
    return Departure(insurer, file_id, sealed.message_id, sealed.compostage, sealed.file_sha256, kept, lots, kind)


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
