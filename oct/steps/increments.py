"""Keeps the increments of the opposition list that their issuer sends (O1), for the practitioners who will ask.

Takes one message of the issuer by lease. The increment is kept under its number, its bytes unchanged; the same bytes
again are known and change nothing, other bytes under a number that is kept are held. An increment that answers a
request passed on by us goes to the practitioner who asked as well; one whose header names a practitioner is that
practitioner's alone and is not kept for others.

Failure: what is no increment, or whose addressee is not certain (R2), is held.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from oct.domain.journey import MessageState
from oct.domain.returns import Ambiguous, Candidates, decide_recipient
from oct.envelope.opening import Opened
from oct.errors import OctError, RoutingError
from oct.formats.dloi import Increment, read_increment
from oct.formats.profiles import Kind
from oct.steps.custody import attempt, write_hold
from oct.steps.returns.letters import Cover, Letter, cover_of, seal_letter, write_letter
from oct.steps.workshop import Workshop
from oct.store import events, increments, messages, payloads, returns
from oct.store.events import Event
from oct.store.increments import NewIncrement
from oct.store.messages import Message
from oct.store.payloads import NewPayload
from oct.store.registry import Snapshot
from oct.store.returns import NewReturn

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Shipment:
    """An increment on its way to a practitioner. `evidence` is why that one: a request, or as for any return (R2)."""

    letter: Letter
    practitioner_id: int
    number: int
    sha256: bytes
    size: int
    evidence: str


@dataclass(frozen=True, slots=True)
class _Arrived:
    """An increment as read, what is kept of it (nothing when it is one practitioner's), who gets it at once."""

    number: int
    cover: Cover
    file: NewPayload
    kept: bool
    shipment: Shipment | None


def keep_increment(workshop: Workshop, message: Message, owner: str) -> None:
    """Brings one message of the issuer to its end. StoreError when the database is away."""
    arrived = attempt(workshop, message, lambda: _read(workshop, message))
    now = workshop.clock()
    with workshop.store.begin() as conn:
        reason = arrived if isinstance(arrived, OctError) else _contradiction(conn, arrived)
        state = MessageState.PROCESSED if reason is None else MessageState.HELD
        if not messages.finish(conn, message.id, owner, state, reason.code if reason is not None else "", now):
            _log.warning("bail-perdu", suivi=message.trace)
        elif reason is not None:
            write_hold(conn, message, reason, now)
        elif not isinstance(arrived, OctError):
            _write(conn, message, arrived, now)


def write_shipment(conn: Connection, message: Message, shipment: Shipment, now: int) -> None:
    """Puts an increment into the queue as a return of the practitioner, so that it can be sent again like one (R6)."""
    consignment_id = write_letter(conn, shipment.letter)
    return_id = returns.insert_return(
        conn,
        NewReturn(
            message_id=message.id,
            kind=Kind.DLOI,
            insurer_id=None,
            practitioner_id=shipment.practitioner_id,
            consignment_id=consignment_id,
            reference="",
            evidence=shipment.evidence,
            sha256=shipment.sha256,
            size=shipment.size,
            received_at=message.received_at,
            state="remis",
        ),
    )
    sent = Event(
        at=now,
        kind="retour",
        outcome="remis",
        message_id=message.id,
        consignment_id=consignment_id,
        return_id=return_id,
        practitioner_id=shipment.practitioner_id,
        data={
            "genre": Kind.DLOI,
            "numero": shipment.number,
            "preuve": shipment.evidence,
            "sha256": shipment.sha256.hex(),
        },
    )
    events.append(conn, [sent])


def _read(workshop: Workshop, message: Message) -> _Arrived:
    with workshop.store.read() as conn:
        raw = payloads.get(conn, workshop.vault, message.payload_id)
        snapshot = workshop.registry.current(conn)
    opened = workshop.opener.open(raw, accept_clear=True)
    profile = workshop.profiles.match(opened.description)
    if profile is None or profile.kind is not Kind.DLOI:
        raise RoutingError("flux-inconnu", "L'émetteur de la dLOI a envoyé autre chose qu'un incrément.", rule="O3")
    increment = read_increment(opened.file, workshop.layouts)
    shipment = _shipment(workshop, message, opened, increment, snapshot)
    named = increment.frame.recipient_ps_number is not None
    return _Arrived(increment.number, cover_of(opened), payloads.seal(workshop.vault, opened.file), not named, shipment)


def _shipment(
    workshop: Workshop, message: Message, opened: Opened, increment: Increment, snapshot: Snapshot
) -> Shipment | None:
    """To the practitioner that the header names, or whose request is answered; nobody when neither is there."""
    headers, number = opened.headers, increment.frame.recipient_ps_number
    with workshop.store.read() as conn:
        asked = increments.requesters(conn, [headers.in_reply_to, *headers.references])
    if number is None and not asked:
        return None
    account = snapshot.by_number.get(number) if number is not None else None
    header = None if number is None else frozenset({account.id} if account is not None else ())
    decision = decide_recipient(Candidates(header=header, answered=asked))
    if isinstance(decision, Ambiguous):
        raise RoutingError("destinataire-incertain", decision.reason, rule="R2")
    practitioner = snapshot.by_id[decision.practitioner_id]
    letter = seal_letter(workshop, message.id, cover_of(opened), practitioner, opened.file, snapshot)
    digest = hashlib.sha256(opened.file).digest()
    return Shipment(letter, practitioner.id, increment.number, digest, len(opened.file), decision.evidence)


def _contradiction(conn: Connection, arrived: _Arrived) -> RoutingError | None:
    """Other bytes under a number that is kept: one of the two is wrong, and a person must say which."""
    known = increments.by_number(conn, arrived.number) if arrived.kept else None
    if known is None or known.sha256 == arrived.file.sha256:
        return None
    return RoutingError(
        "dloi-contradictoire", f"L'incrément {arrived.number:06d} est déjà connu avec un autre contenu.", rule="O1"
    )


def _write(conn: Connection, message: Message, arrived: _Arrived, now: int) -> None:
    outcome = "transmis"
    if arrived.kept:
        outcome = "connu"
        if increments.by_number(conn, arrived.number) is None:
            _keep(conn, message, arrived)
            outcome = "garde"
    kept = Event(
        at=now,
        kind="increment",
        outcome=outcome,
        message_id=message.id,
        data={"numero": arrived.number, "sha256": arrived.file.sha256.hex(), "taille": arrived.file.size},
    )
    events.append(conn, [kept])
    if arrived.shipment is not None:
        write_shipment(conn, message, arrived.shipment, now)


def _keep(conn: Connection, message: Message, arrived: _Arrived) -> None:
    cover = arrived.cover
    increments.keep(
        conn,
        NewIncrement(
            number=arrived.number,
            sha256=arrived.file.sha256,
            received_at=message.received_at,
            message_id=message.id,
            subject=cover.subject,
            description=cover.description,
            content_type=cover.content_type,
        ),
        arrived.file,
    )
