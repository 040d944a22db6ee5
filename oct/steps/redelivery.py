"""Sends returns again (R6): one, or all of a practitioner since a date, to the same mailbox or to another address.

The same bytes leave under the same Message-ID. To the registered mailbox the consignment itself goes back into the
queue, and a hosted mailbox shows it again; to another address a new consignment carries the same payload. A return
whose retention has ended is left out and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from oct.steps.workshop import Workshop
from oct.store import consignments, events, payloads
from oct.store.consignments import Consignment, NewConsignment
from oct.store.events import Event
from oct.store.returns import Return


@dataclass(frozen=True, slots=True)
class Redelivered:
    """How many were put into the queue, wait there already, or exist no more."""

    sent: int = 0
    waiting: int = 0
    gone: int = 0


def redeliver(workshop: Workshop, chosen: Sequence[Return], actor: str, address: str | None = None) -> Redelivered:
    """Sends these returns again, in their order; to `address` when one is given."""
    done = Redelivered()
    with workshop.store.begin() as conn:
        for one in chosen:
            consignment = consignments.by_id(conn, one.consignment_id) if one.consignment_id is not None else None
            if consignment is None or not payloads.exists(conn, consignment.payload_id):
                done = replace(done, gone=done.gone + 1)
            elif _send(conn, workshop, consignment, address):
                done = replace(done, sent=done.sent + 1)
                events.append(conn, [_event(workshop, one, consignment, actor, address)])
            else:
                done = replace(done, waiting=done.waiting + 1)
    return done


def _send(conn: Connection, workshop: Workshop, consignment: Consignment, address: str | None) -> bool:
    now = workshop.clock()
    if address is None or address == consignment.recipient:
        return consignments.requeue(conn, consignment.id, now)
    copy = NewConsignment(
        message_id=consignment.message_id,
        kind=consignment.kind,
        recipient=address,
        message_uid=consignment.message_uid,
        payload_id=consignment.payload_id,
        size=consignment.size,
        sha256=consignment.sha256,
        created_at=now,
        due_at=now,
        practitioner_id=consignment.practitioner_id,
        compostage=consignment.compostage,
    )
    consignments.insert_many(conn, [copy])
    return True


def _event(workshop: Workshop, one: Return, consignment: Consignment, actor: str, address: str | None) -> Event:
    return Event(
        at=workshop.clock(),
        kind="decision",
        outcome="renvoye",
        message_id=one.message_id,
        consignment_id=consignment.id,
        return_id=one.id,
        practitioner_id=one.practitioner_id,
        actor=actor,
        data={"destinataire": address or consignment.recipient, "sha256": consignment.sha256.hex()},
    )
