"""What a sending that failed for good leaves behind, however it was learnt: a 5xx, the end of the delay, a notice.

The consignment waits in a hold for a person, with the same bytes; the practitioner is told when it was its own sending
that could not be handed over (T1), and is not told of its own mailbox's refusals, which only the operator can cure.
"""

from __future__ import annotations

from sqlalchemy import Connection

from oct.clock import paris
from oct.domain.later_texts import failed_delivery
from oct.steps.texts import SealedText, TextKind, seal_text, write_text_row
from oct.steps.workshop import Workshop
from oct.store import holds, lots, messages
from oct.store.consignments import Consignment
from oct.store.holds import HoldSubject, NewHold


def failure_text(workshop: Workshop, consignment: Consignment) -> SealedText | None:
    """What the practitioner reads of its own sending; None when it was on its way to the practitioner."""
    if consignment.practitioner_id is not None:
        return None
    with workshop.store.read() as conn:
        snapshot = workshop.registry.current(conn)
        carried = lots.of_consignment(conn, consignment.id)
        message = messages.by_id(conn, consignment.message_id)
    practitioner = snapshot.by_id.get(message.practitioner_id or 0) if message is not None else None
    if message is None or practitioner is None:
        return None
    insurer = snapshot.directory.insurers.get(consignment.insurer_id or 0)
    text = failed_delivery(
        workshop.rules.name,
        practitioner.number,
        message.trace,
        insurer.label if insurer is not None else consignment.recipient,
        [lot.number for lot in carried],
        paris(consignment.created_at),
    )
    return seal_text(workshop, TextKind.LATER, consignment.message_id, practitioner, text)


def write_failure(conn: Connection, consignment: Consignment, reply: str, text: SealedText | None, now: int) -> int:
    """Holds a consignment that has just been marked as failed; the id of the hold. `reply` is the other side's word."""
    hold_id = holds.open_hold(
        conn,
        NewHold(
            opened_at=now,
            subject=HoldSubject.CONSIGNMENT,
            message_id=consignment.message_id,
            code="remise-impossible",
            sentence=f"Remise impossible à {consignment.recipient} : {reply}",
            consignment_id=consignment.id,
            insurer_id=consignment.insurer_id,
        ),
    )
    if text is not None:
        write_text_row(conn, text)
    return hold_id
