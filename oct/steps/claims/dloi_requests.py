"""Answers a practitioner's request for increments of the opposition list (O1).

Takes an opened request; gives what the ART says of it and the messages that leave: the increments that the practitioner
lacks, oldest first, each in its own message to the registered mailbox, bytes unchanged. A request that cannot be served
(it does not say what is held, it holds more than is known here, nothing is known here) goes on to the issuer, sealed
to its certificate; without an issuer or a certificate it is held. Nothing is written before `write_answer`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from oct.domain.model import Practitioner
from oct.domain.routing import check_sender
from oct.envelope.opening import Opened
from oct.errors import CertificateError, FormatError, RoutingError
from oct.formats.dloi import missing_increments, read_request
from oct.steps.increments import Shipment, write_shipment
from oct.steps.returns.letters import Cover, Letter, cover_of, seal_letter, seal_request, write_letter
from oct.steps.workshop import Workshop
from oct.store import events, increments, payloads
from oct.store.events import Event
from oct.store.increments import Increment
from oct.store.messages import Message
from oct.store.registry import Snapshot

_EVIDENCE = "request"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request comes to: sentences for the ART, increments for the practitioner, or the request passed on."""

    told: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    passed_on: Letter | None = None


def answer_request(
    workshop: Workshop, message: Message, opened: Opened, practitioner: Practitioner, snapshot: Snapshot
) -> Answer:
    """The answer. RoutingError when the request waits; RuleError when its sender is another practitioner."""
    try:
        request = read_request(opened.file, workshop.layouts)
    except FormatError as fault:
        return _passed_on(workshop, message, opened, snapshot, fault.describe())
    check_sender(request.ps_number, practitioner, snapshot.by_number)
    with workshop.store.read() as conn:
        known = increments.numbers(conn)
    if not known:
        return _passed_on(workshop, message, opened, snapshot, "Aucun incrément n'est connu ici.")
    if request.last_held > known[-1]:
        reason = f"Vous détenez l'incrément {request.last_held:06d}, le dernier connu ici est le {known[-1]:06d}."
        return _passed_on(workshop, message, opened, snapshot, reason)
    missing = missing_increments(request.last_held, known)
    shipments = tuple(_shipment(workshop, message, number, practitioner, snapshot) for number in missing)
    return Answer((_told(missing, known[-1]),), _gap(request.last_held, missing), shipments)


def write_answer(conn: Connection, message: Message, answer: Answer, now: int) -> None:
    """Writes what leaves, in the transaction that ends the message."""
    for shipment in answer.shipments:
        write_shipment(conn, message, shipment, now)
    if answer.passed_on is not None:
        consignment_id = write_letter(conn, answer.passed_on)
        passed_on = Event(
            at=now,
            kind="demande",
            outcome="transmise",
            message_id=message.id,
            consignment_id=consignment_id,
            practitioner_id=message.practitioner_id,
            data={
                "destinataire": answer.passed_on.consignment.recipient,
                "compostage": answer.passed_on.consignment.compostage,
                "sha256_message": answer.passed_on.consignment.sha256.hex(),
            },
        )
        events.append(conn, [passed_on])


def _shipment(
    workshop: Workshop, message: Message, number: int, practitioner: Practitioner, snapshot: Snapshot
) -> Shipment:
    with workshop.store.read() as conn:
        increment = _kept(conn, number)
        content = payloads.get(conn, workshop.vault, increment.payload_id)
    cover = Cover(increment.subject, increment.description, increment.content_type)
    letter = seal_letter(workshop, message.id, cover, practitioner, content, snapshot)
    return Shipment(letter, practitioner.id, number, increment.sha256, len(content), _EVIDENCE)


def _kept(conn: Connection, number: int) -> Increment:
    increment = increments.by_number(conn, number)
    if increment is None:
        raise ValueError("an increment that was listed is not there")
    return increment


def _passed_on(workshop: Workshop, message: Message, opened: Opened, snapshot: Snapshot, why: str) -> Answer:
    issuer = workshop.rules.dloi_issuer
    cannot = f"Votre demande d'incréments ne peut pas être servie ici. {why}"
    if not issuer:
        raise RoutingError("dloi-sans-emetteur", f"{cannot} L'opérateur est prévenu.", rule="O1")
    try:
        letter = seal_request(workshop, message.id, cover_of(opened), issuer, opened.file, snapshot)
    except CertificateError as fault:
        sentence = f"{cannot} Elle ne peut pas non plus être transmise à l'émetteur : {fault.sentence}"
        raise RoutingError("dloi-sans-certificat", sentence, rule="O1") from fault
    return Answer((cannot, "Elle est transmise à l'émetteur de la liste d'opposition."), passed_on=letter)


def _told(missing: list[int], newest: int) -> str:
    if not missing:
        return f"Votre liste d'opposition est à jour : le dernier incrément est le {newest:06d}."
    span = f"{missing[0]:06d}" if len(missing) == 1 else f"{missing[0]:06d} à {missing[-1]:06d}"
    return f"Incréments de la liste d'opposition envoyés : {len(missing)} ({span}), un par message."


def _gap(last_held: int, missing: list[int]) -> tuple[str, ...]:
    """A warning when numbers are skipped between what is held and the first that is sent."""
    if not missing or not last_held or missing[0] == last_held + 1:
        return ()
    return (f"Entre votre incrément {last_held:06d} et le {missing[0]:06d}, aucun n'est connu ici.",)
