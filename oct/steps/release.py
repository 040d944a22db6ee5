"""What a person decides of what waits (K2): release, route, refuse. Each hold is decided once, whoever asks first.

Takes a hold and a decision; what leaves is sealed before the transaction, then written with the closing of the hold
in one. A lot goes through planning again, so contract 99, routing and conservation apply as on the first day; a
finished file only gets its addressee and its seal; a consignment leaves again with the same bytes; a message is
processed anew. What still cannot leave raises the reason, and the hold stays as it was.

Lots that came again meanwhile have left the hold (D2): what is left of a file or of a consignment is made again
without them. A file split at the source is not, it leaves whole or not at all: it can only be refused then, and its
practitioner sends its other lots again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from oct.domain.admission import Origin
from oct.domain.journey import LotState, MessageState
from oct.domain.later_texts import released, turned_down
from oct.domain.model import Insurer, LotKind
from oct.domain.outgoing import OutgoingFile
from oct.domain.routing import route_file
from oct.domain.splitting import plan_lots
from oct.envelope.sealing import Sealed
from oct.errors import OctError, RoutingError, RuleError
from oct.formats.b2 import read_file
from oct.formats.subject import version_in
from oct.steps.claims.dispatch import Departure, Dispatch, departure_of, seal_outgoing, seal_plan
from oct.steps.claims.flows import read_flow, route_flow, seal_flow
from oct.steps.claims.remaking import from_messages, without_others
from oct.steps.claims.settling import known_account
from oct.steps.claims.writing import write_dispatch
from oct.steps.concerned import Concerned, concerned_by, tell_each
from oct.steps.door.quarantine import readmit
from oct.steps.texts import write_text_row
from oct.steps.workshop import Workshop
from oct.store import consignments, events, holds, lots, messages, payloads, returns, sendings
from oct.store.consignments import GROUPED
from oct.store.events import Event
from oct.store.holds import Hold, HoldSubject
from oct.store.lots import Lot
from oct.store.messages import Message
from oct.store.registry import Snapshot
from oct.store.returns import ReturnState


@dataclass(frozen=True, slots=True)
class Case:
    """An open hold with all that is needed to decide it. `content` is what waits, when it is not a consignment."""

    hold: Hold
    message: Message
    lots: list[Lot]
    concerned: list[Concerned]
    """Whose lots these are: several practitioners', when files were grouped (A15)."""
    replaced: Mapping[int, list[str]]
    """By message, the numbers of the lots that were among them and came again since (D2)."""
    snapshot: Snapshot
    content: bytes


def release(workshop: Workshop, hold_id: int, actor: str, insurer: Insurer | None = None) -> None:
    """Lets what waits leave, to `insurer` when the operator names one. OctError says why it still cannot."""
    case = open_case(workshop, hold_id)
    match case.hold.subject:
        case HoldSubject.MESSAGE:
            _release_message(workshop, case, actor)
        case HoldSubject.CONSIGNMENT if case.replaced:
            _depart(workshop, case, actor, _seal_consignment(workshop, case))
        case HoldSubject.CONSIGNMENT:
            _release_consignment(workshop, case, actor)
        case HoldSubject.FILE:
            _depart(workshop, case, actor, _seal_file(workshop, case, insurer))
        case HoldSubject.LOT:
            _depart(workshop, case, actor, _seal_lots(workshop, case, insurer))
        case _:
            raise RuleError("retenue-de-retour", "Un retour retenu s'adresse à un PS : « oct held route ID --ps ».")


def refuse(workshop: Workshop, hold_id: int, actor: str, reason: str) -> None:
    """Decides that what waits will never leave. `reason` is shown to its practitioner; a return has none to tell."""
    case = open_case(workshop, hold_id)
    texts = tell_each(workshop, case.concerned, lambda one: turned_down(
        workshop.rules.name, one.practitioner.number, one.message.trace, reason, one.lot_numbers
    ))  # fmt: skip
    with workshop.store.begin() as conn:
        close(conn, workshop, case, "refuse", actor, motif=reason)
        lots.set_state(conn, [lot.id for lot in case.lots], LotState.REFUSED_HERE, "refus-operateur", workshop.clock())
        if case.hold.return_id is not None:
            returns.set_state(conn, case.hold.return_id, ReturnState.REFUSED)
        if case.hold.subject in {HoldSubject.MESSAGE, HoldSubject.RETURN}:
            messages.set_state(conn, case.message.id, MessageState.REFUSED, "refus-operateur")
        for text in texts:
            write_text_row(conn, text)


def open_case(workshop: Workshop, hold_id: int) -> Case:
    """A hold that is to be decided. RuleError when there is none, or it is closed already."""
    with workshop.store.read() as conn:
        hold = holds.by_id(conn, hold_id)
        if hold is None or hold.closed_at is not None:
            raise RuleError("retenue-inconnue", f"Aucune retenue ouverte ne porte le numéro {hold_id}.")
        message = messages.by_id(conn, hold.message_id)
        if message is None:
            raise RuleError("retenue-inconnue", "Le message de cette retenue n'existe plus.")
        content = payloads.get(conn, workshop.vault, hold.payload_id) if hold.payload_id is not None else b""
        snapshot = workshop.registry.current(conn)
        carried = lots.of_hold(conn, hold.id, hold.consignment_id)
        waiting, replaced = _waiting(carried), [lot for lot in carried if lot.code == lots.REPLACED]
        concerned = [one for one in concerned_by(conn, message.id, waiting, snapshot) if one.lot_numbers or not carried]
        gone = {one.message.id: one.lot_numbers for one in concerned_by(conn, message.id, replaced, snapshot)}
        numbers = {message_id: of_message for message_id, of_message in gone.items() if of_message}
        return Case(hold, message, waiting, concerned, numbers, snapshot, content)


def close(conn: Connection, workshop: Workshop, case: Case, decision: str, actor: str, **data: object) -> None:
    """Closes the hold, or gives up the whole transaction when it was decided, or lost a lot, just before."""
    now = workshop.clock()
    if not holds.close(conn, case.hold.id, decision, now):
        raise RuleError("deja-decide", f"La retenue {case.hold.id} vient d'être décidée par quelqu'un d'autre.")
    if _waiting(lots.of_hold(conn, case.hold.id, case.hold.consignment_id)) != case.lots:
        raise RuleError("retenue-changee", f"La retenue {case.hold.id} vient de changer : recommencez.")
    stories = {one.message.id: one.lot_numbers for one in case.concerned} or {case.message.id: list[str]()}
    decided = [
        Event(
            at=now,
            kind="decision",
            outcome=decision,
            message_id=story,
            consignment_id=case.hold.consignment_id,
            actor=actor,
            data={"retenue": case.hold.id, "lots": lot_numbers, **data},
        )
        for story, lot_numbers in stories.items()
    ]
    events.append(conn, decided)


def _release_message(workshop: Workshop, case: Case, actor: str) -> None:
    message = case.message
    taken = readmit(workshop, message, case.snapshot) if message.origin == Origin.UNKNOWN else None
    with workshop.store.begin() as conn:
        close(conn, workshop, case, "libere", actor, origine=taken.origin if taken is not None else message.origin)
        if taken is not None:
            messages.readmit(conn, message.id, taken)
        messages.requeue(conn, message.id, MessageState.RECEIVED, workshop.clock())


def _release_consignment(workshop: Workshop, case: Case, actor: str) -> None:
    consignment_id = case.hold.consignment_id or 0
    with workshop.store.begin() as conn:
        if not case.lots and lots.of_consignment(conn, consignment_id):
            sentence = "Tous les lots de cet envoi ont eu leur réponse : il ne repart pas, refusez cette retenue."
            raise RuleError("deja-repondu", sentence, rule="D2")
        close(conn, workshop, case, "libere", actor)
        consignments.requeue(conn, consignment_id, workshop.clock())


def _seal_file(workshop: Workshop, case: Case, named: Insurer | None) -> Dispatch:
    """A finished file: only its addressee and its seal were missing."""
    intended = case.snapshot.directory.insurers.get(case.hold.insurer_id or 0)
    if intended is not None and named is not None and named.id != intended.id:
        raise RuleError("deja-adresse", f"Ce fichier est déjà fait pour {intended.label} : il ne peut aller ailleurs.")
    if any(lot.kind == LotKind.FLUX for lot in case.lots):
        return Dispatch(departures=(_seal_flow(workshop, case, named or intended),))
    file = read_file(case.content, workshop.layouts)
    insurer = named or intended or route_file(file, workshop.split_context(case.snapshot))
    if case.replaced:
        _check_divisible(workshop, case)
        outgoing = without_others(workshop, case.content, case.lots, insurer, case.snapshot)
    else:
        outgoing = OutgoingFile((case.content,), file.file_id, file.sender_number, file.invoice_count)
    return _sealed(workshop, case, insurer, outgoing)


def _seal_consignment(workshop: Workshop, case: Case) -> Dispatch:
    """What is left of a consignment that lost lots: sealed again, to the same insurer."""
    insurer = case.snapshot.directory.insurers.get(case.hold.insurer_id or 0)
    if insurer is None:
        raise RoutingError("destinataire-inconnu", "L'assureur de cet envoi n'est plus dans l'annuaire.", rule="L6")
    _check_divisible(workshop, case)
    rest = _sealed(workshop, case, insurer, from_messages(workshop, case.lots, insurer, case.snapshot))
    if len(case.concerned) == 1:
        return rest
    return replace(rest, departures=tuple(replace(departure, kind=GROUPED) for departure in rest.departures))


def _check_divisible(workshop: Workshop, case: Case) -> None:
    """RuleError when nothing is left, or the rest of a file split at the source (S1); the AMC flow is not one."""
    with workshop.store.read() as conn:
        left = sendings.held_lots(conn, [case.hold.id]).get(case.hold.id)
    if left is None:
        raise RuleError("plus-de-lot", "Plus aucun lot n'attend ici : refusez cette retenue.", rule="D2")
    if left.undivided:
        gone = ", ".join(number for numbers in case.replaced.values() for number in numbers)
        rest = ", ".join(number for one in case.concerned for number in one.lot_numbers)
        sentence = (
            f"Un envoi plus récent a remplacé une part de ce fichier (lot {gone}). Découpé à la source, il part entier "
            f"ou pas du tout : refusez-le, et le PS renverra le reste (lot {rest})."
        )
        raise RuleError("fichier-incomplet", sentence, rule="D2")


def _sealed(workshop: Workshop, case: Case, insurer: Insurer, outgoing: OutgoingFile) -> Dispatch:
    sealed = seal_outgoing(workshop, outgoing, insurer, case.snapshot, version_in(case.message.subject))
    if not isinstance(sealed, Sealed):
        raise sealed
    return Dispatch(departures=(departure_of(workshop, sealed, insurer, outgoing.file_id, ()),))


def _seal_flow(workshop: Workshop, case: Case, insurer: Insurer | None) -> Departure:
    """A file that nobody reads: what it is, and where it goes, is said by its message, which is opened again."""
    with workshop.store.read() as conn:
        raw = payloads.get(conn, workshop.vault, case.message.payload_id)
    opened = workshop.opener.open(raw, accept_clear=True, opaque=True)
    profile = workshop.profiles.match(opened.description)
    if profile is None:
        raise RoutingError("flux-non-configure", "Le flux de ce fichier n'est plus configuré.", rule="O3")
    flow = read_flow(workshop, opened, profile)
    insurer = insurer or route_flow(workshop, flow, case.snapshot)
    practitioner = case.snapshot.by_id[known_account(case.message)]
    return seal_flow(workshop, flow, practitioner, insurer, case.snapshot, ())


def _seal_lots(workshop: Workshop, case: Case, named: Insurer | None) -> Dispatch:
    """Lots that lacked an addressee: planned again, as on the first day."""
    file = read_file(case.content, workshop.layouts)
    derived = any(lot.kind == LotKind.AMC for lot in case.lots)
    context = workshop.split_context(case.snapshot)
    plan = plan_lots(file, context, named, derived=derived)
    for refused in plan.refused:
        raise refused.reason
    dispatch = seal_plan(workshop, file, plan, case.snapshot, context, version_in(case.message.subject))
    still: OctError | None = next(
        (held.reason for held in dispatch.detentions if any(lot.derived is None for lot in held.lots)), None
    )
    if still is not None:
        raise still
    return dispatch


def _depart(workshop: Workshop, case: Case, actor: str, dispatch: Dispatch) -> None:
    labels = [departure.insurer.label for departure in dispatch.departures]
    texts = tell_each(workshop, case.concerned, lambda one: released(
        workshop.rules.name, one.practitioner.number, one.message.trace, labels, one.lot_numbers,
        case.replaced.get(one.message.id, ()),
    ))  # fmt: skip
    known = dict(enumerate(sorted(case.lots, key=lambda lot: lot.rank)))
    lot_ids = [lot.id for lot in case.lots]
    file_row = next((lot.file_id for lot in case.lots), None)
    with workshop.store.begin() as conn:
        close(conn, workshop, case, "libere", actor, assureurs=labels)
        sent = write_dispatch(conn, workshop, case.message, file_row, dispatch, known)
        if case.hold.subject != HoldSubject.LOT:
            lots.assign(conn, lot_ids, dispatch.departures[0].insurer.id, sent[0])
            lots.set_state(conn, lot_ids, LotState.SENT, "", workshop.clock())
        for text in texts:
            write_text_row(conn, text)


def _waiting(carried: Sequence[Lot]) -> list[Lot]:
    """Of the lots of a hold, those that wait in it still."""
    return [lot for lot in carried if lot.state in sendings.STILL_TO_LEAVE]
