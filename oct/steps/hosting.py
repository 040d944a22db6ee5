"""What is for a practitioner and goes into the mailbox hosted here: by its choice, or because its own one fails (R5).

A consignment for a hosted practitioner is deposited instead of sent: that is its delivery, in one commit. When a
practitioner's own mailbox refuses for good, or for as long as delivery is tried, the hosted one stands in from then on:
what failed is deposited, what waits follows at once, the operator is alerted, and nothing is lost because a mailbox
provider is down. It goes back when the operator says so, one practitioner or a whole domain at a time; what was never
fetched is then sent to the practitioner's own mailbox, the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from oct.domain.model import Practitioner
from oct.steps.workshop import Workshop
from oct.store import consignments, events, mailboxes, practitioners
from oct.store.consignments import Consignment
from oct.store.events import Event
from oct.store.registry import Snapshot

_log = structlog.get_logger()
DEPOSITED = "déposé dans la boîte hébergée"


def host_of(consignment: Consignment, snapshot: Snapshot) -> Practitioner | None:
    """The practitioner in whose hosted mailbox a consignment belongs; None when it leaves by SMTP.

    What an operator sends to another address than the registered one leaves by SMTP whatever the practitioner's mode.
    """
    practitioner = snapshot.by_id.get(consignment.practitioner_id or 0)
    if practitioner is None or not practitioner.hosted or consignment.recipient != practitioner.address:
        return None
    return practitioner


def deposit(workshop: Workshop, consignment: Consignment, owner: str) -> None:
    """Delivers a claimed consignment into the hosted mailbox, in one commit."""
    with workshop.store.begin() as conn:
        write_deposit(conn, workshop, consignment, owner)


def write_deposit(conn: Connection, workshop: Workshop, consignment: Consignment, owner: str) -> bool:
    """The same in the caller's transaction; False, and nothing written, when the lease was lost."""
    now = workshop.clock()
    practitioner_id = consignment.practitioner_id
    if practitioner_id is None or not consignments.mark_delivered(conn, consignment.id, owner, DEPOSITED, now):
        return False
    again = mailboxes.show_again(conn, consignment.id, now)
    if not again:
        mailboxes.deposit(conn, practitioner_id, consignment.payload_id, consignment.id, consignment.size, now)
    data = {"genre": consignment.kind, "sha256": consignment.sha256.hex(), "essai": consignment.attempts}
    events.append(conn, [_event(consignment, practitioner_id, "depot", "redepose" if again else "depose", now, data)])
    return True


def stand_in(conn: Connection, workshop: Workshop, consignment: Consignment, owner: str, reply: str) -> bool:
    """The practitioner's own mailbox failed for good: the hosted one stands in; False when the lease was lost."""
    practitioner_id = consignment.practitioner_id
    if practitioner_id is None or not write_deposit(conn, workshop, consignment, owner):
        return False
    now = workshop.clock()
    if practitioners.divert(conn, practitioner_id, now):
        consignments.hasten(conn, practitioner_id, consignment.recipient, now)
        events.append(conn, [_event(consignment, practitioner_id, "detourne", "boite", now, {"reponse": reply})])
        _log.warning("boite-detournee", practitioner=practitioner_id)
    return True


def divert(workshop: Workshop, accounts: Sequence[Practitioner], actor: str) -> int:
    """The operator's word that these mailboxes fail (a provider's outage); how many were not diverted before."""
    now, moved = workshop.clock(), 0
    with workshop.store.begin() as conn:
        for account in accounts:
            if practitioners.divert(conn, account.id, now):
                waiting = consignments.hasten(conn, account.id, account.address, now)
                events.append(conn, [_decision(account, "detourne", now, actor, waiting)])
                moved += 1
    return moved


def restore(workshop: Workshop, accounts: Sequence[Practitioner], actor: str) -> int:
    """Back to their own mailboxes: what was never fetched is sent there, the same bytes; how many practitioners."""
    now, moved = workshop.clock(), 0
    with workshop.store.begin() as conn:
        for account in accounts:
            if practitioners.restore(conn, account.id):
                taken = mailboxes.take_back(conn, account.id, now)
                for consignment_id in taken:
                    consignments.requeue(conn, consignment_id, now)
                events.append(conn, [_decision(account, "retabli", now, actor, len(taken))])
                moved += 1
    return moved


def _event(
    consignment: Consignment, practitioner_id: int, kind: str, outcome: str, now: int, data: dict[str, object]
) -> Event:
    return Event(
        at=now,
        kind=kind,
        outcome=outcome,
        message_id=consignment.message_id,
        consignment_id=consignment.id,
        practitioner_id=practitioner_id,
        data=data,
    )


def _decision(account: Practitioner, outcome: str, now: int, actor: str, count: int) -> Event:
    data = {"envois": count}
    return Event(at=now, kind="decision", outcome=outcome, practitioner_id=account.id, actor=actor, data=data)
