"""Passes on the flows that nobody here reads: SCOR, and any other that the profiles configure (O2).

Takes an opened message whose profile is opaque; gives a `Passage`: the whole file, bytes unchanged, sealed to one
insurer like a file split at the source. For custody it counts as one lot that nobody opened, and so has the states,
the holds, the events and the returns of a lot of claims. It goes to the insurer that its 000 header names, or to the
one whose address the profile gives.

Failure: without an addressee or a good certificate the file is held (L6, H8), and leaves once that is mended; a flow
without a route, or a sender's number that is not the account's (L8), holds the message; another account's refuses it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from oct.domain.model import Insurer, LotKind, Practitioner
from oct.domain.outgoing import OutgoingFile
from oct.domain.plan import Parcel, Plan, Planned, Shape
from oct.domain.routing import check_sender, route_recipient
from oct.envelope.opening import Opened
from oct.envelope.sealing import Sealed
from oct.errors import CertificateError, FormatError, OctError, RoutingError
from oct.formats.b2 import Lot
from oct.formats.frame import ReturnFrame, read_frame
from oct.formats.layouts import RECORD
from oct.formats.profiles import HEADER_ROUTE, Profile
from oct.formats.subject import VERSION_UNKNOWN, FactureSubject, read_subject
from oct.steps.claims.dispatch import Departure, Detention, Dispatch, departure_of, seal_outgoing
from oct.steps.claims.recognition import Basis, noted, recognise_plan
from oct.steps.workshop import Workshop
from oct.store import payloads
from oct.store.files import NewFile
from oct.store.holds import HoldSubject
from oct.store.messages import Message
from oct.store.registry import Snapshot


@dataclass(frozen=True, slots=True)
class Flow:
    """A file that is passed on unread; its frame and the message's Subject when they have the form of the annex."""

    content: bytes
    description: str
    profile: Profile
    frame: ReturnFrame | None
    subject: FactureSubject | None


@dataclass(frozen=True, slots=True)
class Passage:
    """What the message of a flow comes to: sentences for the ART, or the reason why its file waits."""

    dispatch: Dispatch
    file: NewFile
    told: tuple[str, ...] = ()
    retention: OctError | None = None
    basis: Basis | None = None
    """What its recognition rests on: checked when it is written (D2)."""


def read_flow(workshop: Workshop, opened: Opened, profile: Profile) -> Flow:
    """The flow of an opened message. RoutingError `flux-non-configure` when its profile has no route."""
    if not profile.route:
        raise RoutingError("flux-non-configure", f"Le flux {profile.name} n'est pas configuré.", rule="O3")
    try:
        frame = read_frame(opened.file, workshop.layouts)
    except FormatError:
        frame = None
    try:
        subject = read_subject(opened.headers.subject)
    except FormatError:
        subject = None
    return Flow(opened.file, "/".join(opened.description.split("/")[:2]), profile, frame, subject)


def pass_on(
    workshop: Workshop,
    message: Message,
    flow: Flow,
    practitioner: Practitioner,
    snapshot: Snapshot,
    *,
    presumed_new: bool,
) -> Passage:
    """The passage of a flow, `presumed_new` as lots are (`recognition`). RoutingError or RuleError when its sender is
    not the account that wrote."""
    if flow.frame is not None:
        check_sender(flow.frame.sender_ps_number, practitioner, snapshot.by_number)
    lot, file = _whole(flow, practitioner, workshop.today()), _file_row(message, flow)
    try:
        insurer = route_flow(workshop, flow, snapshot)
    except RoutingError as reason:
        return _waiting(workshop, flow, file, reason, None, lot)
    parcel = Parcel(insurer, (lot,), whole=flow.content)
    recognised = recognise_plan(workshop, practitioner, Plan(Shape.SOURCE, (parcel,)), presumed_new=presumed_new)
    if recognised.plan.known:
        (known,) = recognised.plan.known
        note = noted(known.lot, insurer.label, leaves=False, arls=recognised.arls)
        repeated = Dispatch(known=recognised.plan.known, arls=recognised.arls)
        return Passage(repeated, file, (f"Envoi {flow.profile.name} non renvoyé. {note}",), basis=recognised.basis)
    (judged,) = recognised.plan.parcels[0].lots
    try:
        departure = seal_flow(workshop, flow, practitioner, insurer, snapshot, (judged,))
    except CertificateError as error:
        held = _waiting(workshop, flow, file, error, insurer, judged)
        return replace(held, basis=recognised.basis)
    told = f"Envoi {flow.profile.name} ({len(flow.content)} octets) transmis à {insurer.label}, sans être lu."
    return Passage(Dispatch(departures=(departure,)), file, (told,), basis=recognised.basis)


def _waiting(
    workshop: Workshop,
    flow: Flow,
    file: NewFile,
    reason: OctError,
    insurer: Insurer | None,
    lot: Planned,
) -> Passage:
    kept = payloads.seal(workshop.vault, flow.content)
    detention = Detention(HoldSubject.FILE, reason, kept, insurer, (lot,))
    return Passage(Dispatch(detentions=(detention,)), file, retention=reason)


def route_flow(workshop: Workshop, flow: Flow, snapshot: Snapshot) -> Insurer:
    """The insurer of a flow, by its profile's route. RoutingError when there is none (L6)."""
    if flow.profile.route != HEADER_ROUTE:
        insurer = snapshot.insurers_by_address.get(flow.profile.route.lower())
        if insurer is None or not insurer.enabled:
            sentence = f"Le destinataire configuré du flux {flow.profile.name} n'est pas dans l'annuaire."
            raise RoutingError("destinataire-inconnu", sentence, rule="L6")
        return insurer
    if flow.frame is None:
        raise RoutingError(
            "destinataire-illisible",
            f"L'envoi {flow.profile.name} n'a pas d'entête qui nomme un destinataire.",
            rule="L6",
        )
    context = workshop.split_context(snapshot)
    return route_recipient(flow.frame.recipient_type, flow.frame.recipient_number, context)


def seal_flow(
    workshop: Workshop,
    flow: Flow,
    practitioner: Practitioner,
    insurer: Insurer,
    snapshot: Snapshot,
    lots: tuple[Planned, ...],
) -> Departure:
    """The message that carries a flow to an insurer, under its own description. CertificateError (H8)."""
    subject = flow.subject
    sender = subject.sender if subject is not None else practitioner.number
    file_id = flow.frame.file_id if flow.frame is not None else ""
    outgoing = OutgoingFile((flow.content,), file_id, sender, subject.count if subject is not None else 0)
    version = subject.version if subject is not None else VERSION_UNKNOWN
    sealed = seal_outgoing(workshop, outgoing, insurer, snapshot, version, flow.description)
    if not isinstance(sealed, Sealed):
        raise sealed
    return departure_of(workshop, sealed, insurer, file_id, lots, kind="flux")


def _whole(flow: Flow, practitioner: Practitioner, today: str) -> Planned:
    """The file as one lot. Its number is letters, which no lot of claims has: a return cannot take it for one.

    They are drawn from its content, so that two files of one day are two lots and a re-sent one is the same (D2).
    """
    number = flow.frame.sender_ps_number if flow.frame is not None else None
    digest = hashlib.sha256(flow.content).digest()
    lot = Lot(
        rank=0,
        start=0,
        stop=len(flow.content),
        ps_number=number or practitioner.number,
        organism="",
        number=_letters(digest),
        created_on=(flow.frame.created_on if flow.frame is not None else "") or today,
        norm_code="",
        marking="",
        kind="",
        invoices=(),
        billed=0,
        amo=0,
        amc=0,
        counts_complements=False,
    )
    return Planned(lot, LotKind.FLUX, digest=digest)


def _letters(digest: bytes) -> str:
    return "".join(chr(ord("A") + byte % 26) for byte in digest[:3])


def _file_row(message: Message, flow: Flow) -> NewFile:
    frame = flow.frame
    return NewFile(
        message_id=message.id,
        shape=flow.profile.kind.lower(),
        file_id=frame.file_id if frame is not None else "",
        sender_number=frame.sender_number if frame is not None else "",
        recipient_type=frame.recipient_type if frame is not None else "",
        recipient_number=frame.recipient_number if frame is not None else "",
        application=frame.application if frame is not None else "",
        norm=frame.norm if frame is not None else "",
        record_count=len(flow.content) // RECORD,
        lot_count=1,
        invoice_count=0,
        sha256=hashlib.sha256(flow.content).digest(),
    )
