"""What becomes of one practitioner's message, computed without a transaction: open, read, plan, seal, write the ART.

Pure CPU but for the numbers it draws; it may be run again after a crash and nothing outside has seen the first run.
Whatever is wrong with the message becomes an outcome: refused with its place, held for a person, or processed. The
warnings of M4 and the refusal of somebody else's number are decided here, because they join Subject and file.
What is no file of invoices goes its own way: a request for increments (`dloi_requests`), a flow that nobody reads
(`flows`); the rest is held (O3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from oct.clock import paris
from oct.domain.conservation import check_conservation
from oct.domain.journey import MessageState
from oct.domain.model import LotKind, Practitioner
from oct.domain.nir import invoices_with_wrong_key
from oct.domain.plan import Plan, Planned
from oct.domain.receipts import LotLine, Receipt
from oct.domain.splitting import plan_file, shape_of
from oct.envelope.opening import Opened
from oct.errors import Fate, FormatError, OctError, RoutingError, RuleError
from oct.formats.b2 import B2File, read_file
from oct.formats.mime_headers import Headers
from oct.formats.mime_reader import Attachment, MailMessage, attachment_of, read_message
from oct.formats.profiles import OPAQUE, Kind, Profile
from oct.formats.subject import VERSION_UNKNOWN, FactureSubject, ps_number, read_subject
from oct.steps.claims.dispatch import Departure, Dispatch, seal_plan
from oct.steps.claims.dloi_requests import Answer, answer_request
from oct.steps.claims.flows import Passage, pass_on, read_flow
from oct.steps.claims.gathering import Gathering
from oct.steps.claims.recognition import Basis, different_lots, noted, recognise_plan
from oct.steps.workshop import Workshop
from oct.store.files import NewFile
from oct.store.messages import Message
from oct.store.registry import Snapshot

_MOST_NAMED = 10
"""Invoices that one warning names."""
_FROM_PRACTITIONERS = {Kind.FACTURE, Kind.DRE, Kind.DDLOI, *OPAQUE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message comes to. `reason` is set when the whole of it is refused or held."""

    state: MessageState
    receipt: Receipt
    dispatch: Dispatch = field(default_factory=Dispatch)
    file: NewFile | None = None
    answer: Answer | None = None
    """Set for a request of increments of the opposition list (O1)."""
    reason: OctError | None = None
    basis: Basis | None = None
    """What it rests on: checked when it is written (D2)."""

    @property
    def code(self) -> str:
        """The code of the reason, empty when processed."""
        return self.reason.code if self.reason is not None else ""


def blank_receipt(workshop: Workshop, message: Message, practitioner: Practitioner) -> Receipt:
    """What every ART says, before anything is known of the content."""
    return Receipt(
        concentrator=workshop.rules.name,
        trace=message.trace,
        practitioner_number=_number_of(message, practitioner),
        received_at=paris(message.received_at),
        compostage=message.compostage,
        window=workshop.rules.grouping,
    )


def _number_of(message: Message, practitioner: Practitioner) -> str:
    """The one of the account's numbers that the Subject names; the main one when it names none of them (L8)."""
    try:
        number = ps_number(read_subject(message.subject).sender)
    except FormatError:
        return practitioner.number
    return number if number in practitioner.numbers else practitioner.number


def known_account(message: Message) -> int:
    """The account of a practitioner's message, which the door wrote down."""
    if message.practitioner_id is None:
        raise ValueError("a practitioner's message without practitioner")
    return message.practitioner_id


def settle_claims(
    workshop: Workshop,
    message: Message,
    take: Callable[[], bytes],
    practitioner: Practitioner,
    snapshot: Snapshot,
    receipt: Receipt,
    *,
    presumed_new: bool,
) -> Outcome:
    """The outcome of a message, all of whose lots may be `presumed_new` (`recognition`). Only surprises are raised; the
    caller holds the message then.

    `take` hands the received bytes over, once: they are let go as soon as the attachment is decoded. `receipt` says
    what every ART says.
    """
    try:
        opened = _open(workshop, take)
        profile = _profile(workshop, opened)
        if profile is not None and profile.kind is Kind.DDLOI:
            return _answered(receipt, answer_request(workshop, message, opened, practitioner, snapshot))
        if profile is not None and profile.kind in OPAQUE:
            flow = read_flow(workshop, opened, profile)
            return _passed_on(
                receipt, pass_on(workshop, message, flow, practitioner, snapshot, presumed_new=presumed_new)
            )
        file = read_file(opened.file, workshop.layouts)
        subject = _subject(opened)
        warnings = [*_agreement(subject, file, practitioner, snapshot), *_wrong_keys(workshop, file)]
        context = workshop.split_context(snapshot)
        plan = plan_file(file, practitioner, context)
        recognised = recognise_plan(workshop, practitioner, plan, presumed_new=presumed_new)
        plan = recognised.plan
        if plan.known:
            check_conservation(file, plan)
        version = subject.version if subject is not None else VERSION_UNKNOWN
        gathers, arls = workshop.rules.grouping > 0, recognised.arls
        dispatch = seal_plan(workshop, file, plan, snapshot, context, version, gathers=gathers, arls=arls)
    except OctError as error:
        return _ended(receipt, error)
    return Outcome(
        state=MessageState.PROCESSED,
        receipt=_processed(receipt, file, plan, dispatch, warnings),
        dispatch=dispatch,
        file=_file_row(message, file),
        basis=recognised.basis,
    )


def _ended(receipt: Receipt, error: OctError) -> Outcome:
    if error.fate is Fate.RETRY:
        raise error
    held = error.fate is Fate.HOLD
    sentence = error.describe()
    return Outcome(
        state=MessageState.HELD if held else MessageState.REFUSED,
        receipt=receipt._replace(retention=sentence) if held else receipt._replace(refusal=sentence),
        reason=error,
    )


def _answered(receipt: Receipt, answer: Answer) -> Outcome:
    told = receipt._replace(told=answer.told, warnings=answer.warnings)
    return Outcome(MessageState.PROCESSED, told, answer=answer)


def _passed_on(receipt: Receipt, passage: Passage) -> Outcome:
    retention = passage.retention.describe() if passage.retention is not None else ""
    told = receipt._replace(told=passage.told, retention=retention)
    return Outcome(MessageState.PROCESSED, told, dispatch=passage.dispatch, file=passage.file, basis=passage.basis)


def _open(workshop: Workshop, take: Callable[[], bytes]) -> Opened:
    """The message's one file. A request for increments may come in clear: it holds nothing of a patient."""
    headers, attachment = _attachment(workshop, read_message(take(), workshop.opener.limits))
    profile = workshop.profiles.match(attachment.description)
    kind = profile.kind if profile is not None else None
    in_clear = workshop.rules.accept_clear or kind is Kind.DDLOI
    return workshop.opener.open_attachment(headers, attachment, accept_clear=in_clear, opaque=kind in OPAQUE)


def _attachment(workshop: Workshop, message: MailMessage) -> tuple[Headers, Attachment]:
    try:
        return message.headers, attachment_of(message)
    except FormatError as fault:
        if fault.code == "aucune-piece-jointe" and workshop.profiles.match(message.headers.description) is None:
            raise _unknown("Le message ne contient aucun fichier et n'est d'aucun type connu.") from fault
        raise


def _profile(workshop: Workshop, opened: Opened) -> Profile | None:
    """What the message says it is; None without a description, and then it is what its file is. Others wait (O3)."""
    profile = workshop.profiles.match(opened.description)
    if profile is None and (opened.description or not opened.file.startswith(b"000")):
        raise _unknown("Ce type de message n'est pas connu du concentrateur.")
    if profile is not None and profile.kind not in _FROM_PRACTITIONERS:
        raise _unknown(f"Un message de type {profile.name} ne vient pas d'un praticien.")
    return profile


def _unknown(sentence: str) -> RoutingError:
    return RoutingError("flux-inconnu", f"{sentence} L'opérateur est prévenu.", rule="O3")


def _subject(opened: Opened) -> FactureSubject | None:
    try:
        return read_subject(opened.headers.subject)
    except FormatError:
        return None


def _agreement(
    subject: FactureSubject | None, file: B2File, practitioner: Practitioner, snapshot: Snapshot
) -> list[str]:
    """M4: what of the Subject disagrees with the file. RuleError when the file's sender is another account."""
    owner = snapshot.by_number.get(_nine(file.sender_number))
    if owner is not None and owner.id != practitioner.id:
        raise RuleError("emetteur-etranger", "L'émetteur du fichier est un autre PS que celui du message.", rule="M4")
    if subject is None:
        return ["L'objet du message n'a pas la forme prévue (SVvvvvvv/exercice/compostage/nnnnn)."]
    warnings = []
    if subject.sender.lstrip("0") != file.sender_number.lstrip("0"):
        warnings.append("Le numéro d'émetteur de l'objet n'est pas celui du fichier.")
    if subject.count != file.invoice_count:
        warnings.append(f"L'objet annonce {subject.count} factures, le fichier en contient {file.invoice_count}.")
    return warnings


def _wrong_keys(workshop: Workshop, file: B2File) -> list[str]:
    """A14: a warning, never a refusal."""
    wrong = invoices_with_wrong_key(file, workshop.layouts) if workshop.conventions.warns_of_nir_keys else []
    if not wrong:
        return []
    named = ", ".join(wrong[:_MOST_NAMED]) + (
        f" et {len(wrong) - _MOST_NAMED} autres" if len(wrong) > _MOST_NAMED else ""
    )
    return [f"La clé du NIR ne correspond pas dans : facture {named}."]


def _nine(sender: str) -> str:
    try:
        return ps_number(sender.zfill(14))
    except FormatError:
        return sender


def _processed(receipt: Receipt, file: B2File, plan: Plan, dispatch: Dispatch, warnings: list[str]) -> Receipt:
    warnings += [
        f"La facture {number} a un contrat 99 mais aucune part complémentaire : rien n'est demandé à une AMC."
        for number in plan.without_amc_part
    ]
    leaving: tuple[Departure | Gathering, ...] = (*dispatch.departures, *dispatch.gatherings)
    warnings += different_lots((lot, one.insurer.label) for one in leaving for lot in one.lots)
    return receipt._replace(
        file_id=file.file_id,
        lot_count=len(file.lots),
        invoice_count=file.invoice_count,
        billed=sum(lot.billed for lot in file.lots),
        sent=_leaving(dispatch.departures),
        grouped=_leaving(dispatch.gatherings),
        known=tuple(
            _line(one.lot, label, noted(one.lot, label, leaves=False, arls=dispatch.arls))
            for one in dispatch.known
            for label in [one.insurer.label if one.insurer is not None else ""]
        ),
        held=tuple(
            _line(lot, label, f"{detention.reason.describe()} {noted(lot, label, leaves=True, arls={})}".strip())
            for detention in dispatch.detentions
            for label in [detention.insurer.label if detention.insurer is not None else ""]
            for lot in detention.lots
        ),
        refused=tuple(_line(rejection.lot, "", rejection.reason.describe()) for rejection in dispatch.rejections),
        warnings=tuple(warnings),
    )


def _leaving(ready: Iterable[Departure | Gathering]) -> tuple[LotLine, ...]:
    return tuple(
        _line(lot, one.insurer.label, noted(lot, one.insurer.label, leaves=True, arls={}))
        for one in ready
        for lot in one.lots
    )


def _line(planned: Planned, insurer: str, reason: str) -> LotLine:
    lot = planned.source
    return LotLine(
        number=lot.number,
        date=lot.created_on,
        kind=planned.kind,
        invoices=planned.invoice_count,
        amount=_asked(planned),
        insurer=insurer,
        reason=reason,
    )


def _asked(planned: Planned) -> int:
    """What a lot asks from its insurer, in centimes."""
    if planned.derived is not None:
        return sum(invoice.amc for invoice in planned.derived.invoices)
    return planned.source.amo if planned.kind is LotKind.FSE else planned.source.amc


def _file_row(message: Message, file: B2File) -> NewFile:
    return NewFile(
        message_id=message.id,
        shape=shape_of(file),
        file_id=file.file_id,
        sender_number=file.sender_number,
        recipient_type=file.recipient_type,
        recipient_number=file.recipient_number,
        application=file.application,
        norm=file.norm,
        record_count=file.record_count,
        lot_count=len(file.lots),
        invoice_count=file.invoice_count,
        sha256=hashlib.sha256(file.data).digest(),
    )
