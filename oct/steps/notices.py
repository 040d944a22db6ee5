"""Reads the delivery notices of other servers (RFC 3464): a sending that was taken with 250 and failed after all.

Takes one message with an empty sender by lease. The notice is matched with what we sent by the Message-ID of what it
returns. A failure does what a 5xx would have done. What was for a practitioner's own mailbox waits in the hosted one,
which stands in from then on (R5). Any other consignment goes from delivered to failed and into a hold, and its lots
from delivered back to sent. A delay or a confirmation is an event. A notice on nothing that we sent, or one that cannot
be read, is held. It is never answered and never passed on (H7).

Security: whoever knows the Message-ID can write such a notice. The worst that a forged one does is to hold what was
delivered, or to divert a mailbox, and to tell so; nothing leaves again by it. Where the insurer has answered already,
or the hosted mailbox holds it, the notice is an event and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from oct.domain.journey import LotState, MessageState
from oct.errors import OctError, RoutingError
from oct.formats.delivery_status import Action, RecipientStatus, read_delivery_status
from oct.steps.concerned import stories_of
from oct.steps.custody import attempt, write_hold
from oct.steps.failures import failure_texts, write_failure
from oct.steps.hosting import owner_of, stand_in_later
from oct.steps.texts import SealedText
from oct.steps.workshop import Workshop
from oct.store import consignments, events, lots, messages, payloads
from oct.store.consignments import Consignment
from oct.store.events import Event
from oct.store.messages import Message

_log = structlog.get_logger()

_NOTED = {
    Action.DELAYED: "retarde",
    Action.DELIVERED: "confirme",
    Action.RELAYED: "relaye",
    Action.EXPANDED: "relaye",
}
_ANSWERED = frozenset({LotState.ACKNOWLEDGED, LotState.REFUSED, LotState.PAID, LotState.PART_PAID, LotState.REJECTED})
_SOON_MS = 1_000
"""When a notice is looked at again that came before its sending was written down as delivered."""
_FAILED, _WITHOUT_EFFECT = "echec", "sans-effet"


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a notice says of one of our sendings, and the texts for its practitioners if it failed."""

    consignment: Consignment
    status: RecipientStatus
    texts: Sequence[SealedText]
    own: bool
    """Whether it went to its practitioner's own mailbox."""

    @property
    def words(self) -> str:
        """The other side's own words, as an operator reads them."""
        return f"avis de remise, {self.status.status} {self.status.diagnostic}".strip()


def note(workshop: Workshop, message: Message, owner: str) -> None:
    """Brings one notice to its end. StoreError when the database is away."""
    finding = attempt(workshop, message, lambda: _find(workshop, message))
    now = workshop.clock()
    reason = finding if isinstance(finding, OctError) else None
    state = MessageState.PROCESSED if reason is None else MessageState.HELD
    with workshop.store.begin() as conn:
        if isinstance(finding, _Finding) and _is_leaving(conn, finding.consignment):
            messages.postpone(conn, message.id, owner, now + _SOON_MS)
        elif not messages.finish(conn, message.id, owner, state, reason.code if reason is not None else "", now):
            _log.warning("bail-perdu", suivi=message.trace)
        elif isinstance(finding, OctError):
            write_hold(conn, message, finding, now)
        else:
            _write(conn, message, finding, now)


def _find(workshop: Workshop, message: Message) -> _Finding:
    with workshop.store.read() as conn:
        raw = payloads.get(conn, workshop.vault, message.payload_id)
    notice = read_delivery_status(raw, workshop.opener.limits)
    with workshop.store.read() as conn:
        sent = consignments.by_message_uids(conn, notice.message_ids)
        snapshot = workshop.registry.current(conn)
    if not sent:
        raise RoutingError("avis-etranger", "Cet avis de remise ne concerne aucun envoi connu d'ici.", rule="H7")
    told = [(one, status) for one in sent if (status := notice.of(one.recipient)) is not None]
    if len({one.payload_id for one, _ in told}) != 1:
        raise RoutingError("avis-etranger", "Cet avis de remise ne parle pas du destinataire de l'envoi.", rule="H7")
    consignment, status = max(told, key=lambda one: (one[0].delivered_at or 0, one[0].id))
    texts = failure_texts(workshop, consignment) if status.action is Action.FAILED else []
    return _Finding(consignment, status, texts, own=owner_of(consignment, snapshot) is not None)


def _write(conn: Connection, message: Message, finding: _Finding, now: int) -> None:
    consignment = finding.consignment
    if finding.status.action is not Action.FAILED:
        outcome = _NOTED[finding.status.action]
    elif finding.own:
        outcome = _FAILED if stand_in_later(conn, consignment, finding.words, now) else _WITHOUT_EFFECT
    elif _unanswered(conn, consignment) and consignments.mark_bounced(conn, consignment.id, finding.words):
        lots.move_with_consignments(conn, {consignment.id: now}, LotState.SENT)
        write_failure(conn, consignment, finding.words, finding.texts, now)
        outcome = _FAILED
    else:
        outcome = _WITHOUT_EFFECT
    stories = (message.id, *stories_of(consignment.message_id, lots.of_consignment(conn, consignment.id)))
    events.append(conn, [_event(story, message, finding, outcome, now) for story in stories])


def _is_leaving(conn: Connection, consignment: Consignment) -> bool:
    """Whether somebody had it in hand and has not told of it yet, be it that his lease is over: it may have been
    delivered without our knowing."""
    owner, _ = consignments.leases_of(conn, [consignment.id])[consignment.id]
    return owner is not None


def _unanswered(conn: Connection, consignment: Consignment) -> bool:
    """Whether nothing that the consignment carries was answered: an insurer that answers has received."""
    return not any(lot.state in _ANSWERED for lot in lots.of_consignment(conn, consignment.id))


def _event(message_id: int, notice: Message, finding: _Finding, outcome: str, now: int) -> Event:
    """In the story of the notice, and in those of the messages that were sent."""
    consignment, status = finding.consignment, finding.status
    return Event(
        at=now,
        kind="avis",
        outcome=outcome,
        message_id=message_id,
        consignment_id=consignment.id,
        practitioner_id=consignment.practitioner_id,
        insurer_id=consignment.insurer_id,
        data={
            "avis": notice.trace,
            "genre": consignment.kind,
            "destinataire": consignment.recipient,
            "action": status.action,
            "statut": status.status,
            "reponse": status.diagnostic,
            "sha256": notice.sha256.hex(),
        },
    )
