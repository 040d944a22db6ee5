"""What a sending that failed for good leaves behind, however it was learnt: a 5xx, the end of the delay, a notice.

The consignment waits in a hold for a person, with the same bytes; the practitioner is told when it was its own sending
that could not be handed over (T1), and is not told of its own mailbox's refusals, which only the operator can cure.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from oct.clock import paris
from oct.domain.later_texts import failed_delivery
from oct.steps.concerned import Concerned, concerned_by, tell_each
from oct.steps.texts import SealedText, write_text_row
from oct.steps.workshop import Workshop
from oct.store import holds, lots
from oct.store.consignments import Consignment
from oct.store.holds import HoldSubject, NewHold


def failure_texts(workshop: Workshop, consignment: Consignment) -> list[SealedText]:
    """What practitioners read of their own sending, each of its own lots; nothing when it was on its way to one."""
    if consignment.practitioner_id is not None:
        return []
    with workshop.store.read() as conn:
        snapshot = workshop.registry.current(conn)
        carried = lots.of_consignment(conn, consignment.id)
        concerned = concerned_by(conn, consignment.message_id, carried, snapshot)
    insurer = snapshot.directory.insurers.get(consignment.insurer_id or 0)
    label = insurer.label if insurer is not None else consignment.recipient
    ready = paris(consignment.created_at)

    def told(one: Concerned) -> str:
        return failed_delivery(
            workshop.rules.name, one.practitioner.number, one.message.trace, label, one.lot_numbers, ready
        )

    return tell_each(workshop, concerned, told)


def write_failure(conn: Connection, consignment: Consignment, reply: str, texts: Sequence[SealedText], now: int) -> int:
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
    for text in texts:
        write_text_row(conn, text)
    return hold_id
