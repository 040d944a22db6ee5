"""What is for a practitioner and goes into the mailbox hosted here: by its choice, or because its own one fails (R5).

A consignment for a hosted practitioner is deposited instead of sent: that is its delivery, in one commit. When a
practitioner's own mailbox refuses for good, or for as long as delivery is tried, the hosted one stands in from then on:
what failed is deposited, what waits follows at once, the operator is alerted, and nothing is lost because a mailbox
provider is down. So it does when another server gives up, by a notice, what it had taken. It goes back when the
operator says so, one practitioner or a whole domain at a time; what was never fetched is then sent to its own mailbox,
the same bytes, and likewise when a practitioner chooses its own mailbox again.

What was not sent, nor deposited, before its retention ended can be no more: it is held, and only that.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from oct.domain.model import Practitioner, ReturnMode
from oct.steps.failures import write_loss
from oct.steps.returns.again import send_again
from oct.steps.workshop import Workshop
from oct.store import consignments, events, mailboxes, payloads, practitioners
from oct.store.consignments import Consignment
from oct.store.events import Event
from oct.store.registry import Snapshot

_log = structlog.get_logger()
DEPOSITED = "déposé dans la boîte hébergée"


def owner_of(consignment: Consignment, snapshot: Snapshot) -> Practitioner | None:
    """The practitioner to whose registered mailbox a consignment goes; None when it goes anywhere else.

    What an operator sends to another address, or what was written for an address that was replaced since, is not.
    """
    practitioner = snapshot.by_id.get(consignment.practitioner_id or 0)
    if practitioner is None or consignment.recipient != practitioner.address:
        return None
    return practitioner


def is_hosted(consignment: Consignment, snapshot: Snapshot) -> bool:
    """Whether a consignment belongs in a hosted mailbox instead of leaving by SMTP."""
    owner = owner_of(consignment, snapshot)
    return owner is not None and owner.hosted


def deposit(workshop: Workshop, consignment: Consignment, owner: str) -> None:
    """Delivers a claimed consignment into the hosted mailbox, in one commit.

    When the practitioner has gone back to its own mailbox meanwhile, the consignment is due again at once instead.
    """
    with workshop.store.begin() as conn:
        if not payloads.exists(conn, consignment.payload_id):
            write_loss(conn, consignment, owner, workshop.clock())
        elif practitioners.keep_hosted(conn, _practitioner(consignment)):
            _write_deposit(conn, workshop, consignment, owner)
        else:
            consignments.mark_retry(conn, consignment.id, owner, workshop.clock(), consignment.reply)


def stand_in(conn: Connection, workshop: Workshop, consignment: Consignment, owner: str, reply: str) -> bool:
    """The practitioner's own mailbox failed for good: the hosted one stands in; False when the lease was lost."""
    hosted = practitioners.keep_hosted(conn, _practitioner(consignment))
    if not _write_deposit(conn, workshop, consignment, owner):
        return False
    if not hosted:
        _divert(conn, consignment, reply, workshop.clock())
    return True


def stand_in_later(conn: Connection, consignment: Consignment, reply: str, now: int) -> bool:
    """The server that had taken a consignment for a practitioner's own mailbox gave it up: it is due again, to be
    deposited. False when it is not in a mailbox of that practitioner's own: what was deposited here cannot fail."""
    hosted = practitioners.keep_hosted(conn, _practitioner(consignment))
    if consignment.reply == DEPOSITED or not consignments.mark_bounced(conn, consignment.id, reply):
        return False
    if not hosted:
        _divert(conn, consignment, reply, now)
    return consignments.requeue(conn, consignment.id, now)


def due_after(conn: Connection, consignment: Consignment, snapshot: Snapshot, due_at: int, now: int) -> int:
    """When a consignment that failed for now is due again: at once if its practitioner was diverted meanwhile."""
    owner = owner_of(consignment, snapshot)
    return now if owner is not None and practitioners.keep_hosted(conn, owner.id) else due_at


def divert(workshop: Workshop, accounts: Sequence[Practitioner], actor: str) -> int:
    """The operator's word that these own mailboxes fail (a provider's outage); how many were not diverted before.

    Who chose the hosted mailbox has nothing to divert.
    """
    now, moved = workshop.clock(), 0
    with workshop.store.begin() as conn:
        for account in accounts:
            if account.return_mode is ReturnMode.SMTP and practitioners.divert(conn, account.id, now):
                waiting = consignments.hasten(conn, account.id, account.address, now)
                events.append(conn, [_decision(account, "detourne", now, actor, waiting)])
                moved += 1
    return moved


def restore(workshop: Workshop, accounts: Sequence[Practitioner], actor: str) -> int:
    """Back to their own mailboxes: what was never fetched is sent there, the same bytes; how many practitioners.

    For who has chosen the hosted mailbox meanwhile, everything stays in it.
    """
    now, moved = workshop.clock(), 0
    with workshop.store.begin() as conn:
        for account in accounts:
            if practitioners.restore(conn, account.id):
                events.append(conn, [_decision(account, "retabli", now, actor, move_out(conn, account.id, now))])
                moved += 1
    return moved


def move_out(conn: Connection, practitioner_id: int, now: int) -> int:
    """What was deposited and never fetched follows a practitioner to its own mailbox, each once; how many.

    To be called where a practitioner may have left the hosted mailbox, in the transaction that says so; while it takes
    its returns here, nothing moves. To the address that is registered now, whatever it was when they were deposited.
    """
    account = practitioners.by_id(conn, practitioner_id)
    if account is None or account.hosted:
        return 0
    taken = mailboxes.take_back(conn, practitioner_id, now)
    for consignment in filter(None, (consignments.by_id(conn, consignment_id) for consignment_id in taken)):
        if consignment.recipient == account.address:
            consignments.requeue(conn, consignment.id, now)
        else:
            send_again(conn, consignment, account.address, now)
    return len(taken)


def _divert(conn: Connection, consignment: Consignment, reply: str, now: int) -> None:
    """From now on the hosted mailbox stands in, also for what waits; the operator is alerted."""
    practitioner_id = _practitioner(consignment)
    if practitioners.divert(conn, practitioner_id, now):
        waiting = consignments.hasten(conn, practitioner_id, consignment.recipient, now)
        data = {"reponse": reply, "envois": waiting}
        events.append(conn, [_event(consignment, "detourne", "boite", now, data)])
        _log.warning("boite-detournee", practitioner=practitioner_id)


def _write_deposit(conn: Connection, workshop: Workshop, consignment: Consignment, owner: str) -> bool:
    """False, and nothing written, when the lease was lost."""
    now = workshop.clock()
    if not consignments.mark_delivered(conn, consignment.id, owner, DEPOSITED, now):
        return False
    again = mailboxes.show_again(conn, consignment.id, now)
    if not again:
        practitioner_id = _practitioner(consignment)
        mailboxes.deposit(conn, practitioner_id, consignment.payload_id, consignment.id, consignment.size, now)
    data = {"genre": consignment.kind, "sha256": consignment.sha256.hex(), "essai": consignment.attempts}
    events.append(conn, [_event(consignment, "depot", "redepose" if again else "depose", now, data)])
    return True


def _practitioner(consignment: Consignment) -> int:
    """Whose a consignment is that `owner_of` knows."""
    assert consignment.practitioner_id is not None
    return consignment.practitioner_id


def _event(consignment: Consignment, kind: str, outcome: str, now: int, data: dict[str, object]) -> Event:
    return Event(
        at=now,
        kind=kind,
        outcome=outcome,
        message_id=consignment.message_id,
        consignment_id=consignment.id,
        practitioner_id=consignment.practitioner_id,
        data=data,
    )


def _decision(account: Practitioner, outcome: str, now: int, actor: str, count: int) -> Event:
    data = {"envois": count}
    return Event(at=now, kind="decision", outcome=outcome, practitioner_id=account.id, actor=actor, data=data)
