"""Sends returns again (R6): one, or all of a practitioner since a date, to its mailbox or to another address.

The same bytes leave under the same Message-ID. Where the consignment went before, it goes again, and a hosted mailbox
shows it anew; to another address, named by the operator or registered since, a new consignment carries the same
payload. A return whose retention has ended is left out and counted.

Failure: an address that is somebody else's (another practitioner's, an insurer's, the concentrator's own) is refused
before anything is written (H7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from oct.errors import RuleError
from oct.steps.returns.again import send_again
from oct.steps.workshop import Workshop
from oct.store import consignments, events, payloads
from oct.store.consignments import Consignment
from oct.store.events import Event
from oct.store.registry import Snapshot
from oct.store.returns import Return


@dataclass(frozen=True, slots=True)
class Redelivered:
    """How many were put into the queue, wait there already, or exist no more."""

    sent: int = 0
    waiting: int = 0
    gone: int = 0


def redeliver(workshop: Workshop, chosen: Sequence[Return], actor: str, address: str | None = None) -> Redelivered:
    """Sends these returns again, in their order: to `address` (lower case), else to each registered mailbox."""
    done = Redelivered()
    with workshop.store.begin() as conn:
        snapshot = workshop.registry.current(conn)
        for one in chosen:
            consignment = consignments.by_id(conn, one.consignment_id) if one.consignment_id is not None else None
            if consignment is None or not payloads.exists(conn, consignment.payload_id):
                done = replace(done, gone=done.gone + 1)
                continue
            recipient = _checked(workshop, one, address, snapshot)
            if send_again(conn, consignment, recipient, workshop.clock()):
                done = replace(done, sent=done.sent + 1)
                events.append(conn, [_event(workshop, one, consignment, actor, recipient)])
            else:
                done = replace(done, waiting=done.waiting + 1)
    return done


def _checked(workshop: Workshop, one: Return, address: str | None, snapshot: Snapshot) -> str:
    """Where a return may go: anywhere the operator says, except where somebody else reads."""
    owner = snapshot.by_id[one.practitioner_id or 0]
    if address is None or address == owner.address:
        return owner.address
    others = {other.id for other in snapshot.by_id.values() if address in {other.address, *other.addresses}}
    ours = address == workshop.rules.address.lower()
    if others - {owner.id} or address in snapshot.insurers_by_address or ours:
        raise RuleError(
            "adresse-d-autrui", f"{address} est l'adresse de quelqu'un d'autre : rien n'est envoyé.", rule="H7"
        )
    return address


def _event(workshop: Workshop, one: Return, consignment: Consignment, actor: str, recipient: str) -> Event:
    return Event(
        at=workshop.clock(),
        kind="decision",
        outcome="renvoye",
        message_id=one.message_id,
        consignment_id=consignment.id,
        return_id=one.id,
        practitioner_id=one.practitioner_id,
        actor=actor,
        data={"destinataire": recipient, "sha256": consignment.sha256.hex()},
    )
