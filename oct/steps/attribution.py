"""Gives a held return to the practitioner whom a person names (R2, K2), once, whoever decides first.

What was held leaves whole and byte for byte, in the envelope it came in, to the registered mailbox, readable or not;
the lots of that practitioner that it answers move as they would have; all of it in the transaction that closes the
hold. Failure: what cannot be done raises its reason, and the return stays held.
"""

from __future__ import annotations

from sqlalchemy import Connection

from oct.domain.journey import MessageState
from oct.domain.model import Practitioner
from oct.domain.returns import Evidence
from oct.errors import RuleError
from oct.steps.release import Case, close, open_case
from oct.steps.returns.letters import Letter, cover_of, seal_letter, write_letter
from oct.steps.returns.reading import ReadReturn, facts_of, insurers_behind, read_return
from oct.steps.returns.states import Answered, lots_answered, write_states
from oct.steps.workshop import Workshop
from oct.store import events, messages, payloads, returns
from oct.store.events import Event
from oct.store.returns import ReturnState


def give(workshop: Workshop, hold_id: int, actor: str, practitioner: Practitioner) -> None:
    """Sends a held return to a practitioner. RuleError when the hold is closed, or is not that of a return."""
    case = open_case(workshop, hold_id)
    if case.hold.return_id is None:
        raise RuleError("pas-un-retour", "Seul un retour s'adresse à un PS ; le reste va à un assureur (--to).")
    with workshop.store.read() as conn:
        raw = payloads.get(conn, workshop.vault, case.message.payload_id)
    opened = workshop.opener.open(raw, accept_clear=True)
    read = read_return(opened, workshop.profiles, workshop.layouts, workshop.entities)
    sender = insurers_behind(case.message, case.snapshot)
    with workshop.store.read() as conn:
        facts = facts_of(conn, read, opened, workshop.entities, case.snapshot, sender)
        answered = lots_answered(conn, read, workshop.entities, facts, sender, practitioner.id)
    letter = seal_letter(workshop, case.message.id, cover_of(opened), practitioner, case.content, case.snapshot)
    with workshop.store.begin() as conn:
        close(conn, workshop, case, "attribue", actor, ps=practitioner.number)
        _write(conn, workshop, case, case.hold.return_id, practitioner, read, letter, answered)


def _write(
    conn: Connection,
    workshop: Workshop,
    case: Case,
    return_id: int,
    practitioner: Practitioner,
    read: ReadReturn,
    letter: Letter,
    answered: list[Answered],
) -> None:
    now = workshop.clock()
    consignment_id = write_letter(conn, letter)
    returns.assign(conn, return_id, practitioner.id, consignment_id, Evidence.OPERATOR, ReturnState.DELIVERED)
    moved = write_states(conn, return_id, answered, now)
    messages.set_state(conn, case.message.id, MessageState.PROCESSED, "")
    data = {
        "genre": read.kind,
        "reference": read.reference,
        "preuve": Evidence.OPERATOR,
        "lots": {str(lot_id): str(state) for lot_id, state in moved.items()},
    }
    event = Event(
        at=now,
        kind="retour",
        outcome=ReturnState.DELIVERED,
        message_id=case.message.id,
        consignment_id=consignment_id,
        return_id=return_id,
        practitioner_id=practitioner.id,
        insurer_id=case.message.insurer_id,
        data=data,
    )
    events.append(conn, [event])
