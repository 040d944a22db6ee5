"""What the steps share when a message cannot come to its end: it is held for a person, never dropped.

`attempt` runs a step's own work and turns every failure into the reason for which the message waits, except that the
database is away, which leaves it due. `write_hold` holds the whole message, in the transaction that ends it.

What a message comes to may be refused by the database itself. That may be of the moment, when another process has just
written the same, so `settle` has the step done once more; refused again, `hold_refused` holds the message with what the
concentrator says by itself and nothing of the sender's. A row that cannot even be ended is left to its lease. A look at
what waits goes on with the next (`unless_refused`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from oct.domain.journey import MessageState
from oct.errors import Fate, OctError, RoutingError, StoreRefusalError, described
from oct.steps.workshop import Workshop
from oct.store import events, holds, messages
from oct.store.events import Event
from oct.store.holds import HoldSubject, NewHold
from oct.store.messages import Message

_log = structlog.get_logger()
_Result = TypeVar("_Result")


def attempt(workshop: Workshop, message: Message, work: Callable[[], _Result]) -> _Result | OctError:
    """What `work` gives, or why the message is held: a declared error, a surprise, one opening too many (H3)."""
    if message.attempts > workshop.rules.tries:
        return RoutingError("ouverture-interrompue", "Le traitement de ce message s'est interrompu.")
    try:
        return work()
    except OctError as error:
        if error.fate is Fate.RETRY:
            raise
        return error
    except Exception as surprise:  # noqa: BLE001 - the runner of steps: a defect holds one message, harms no other
        _log.error("message-surprise", suivi=message.trace, origine=message.origin, **described(surprise))
        return RoutingError("surprise", "Le traitement de ce message a échoué.")


def settle(workshop: Workshop, message: Message, owner: str, step: Callable[[], None]) -> None:
    """Has a step bring one message to its end, which is a hold when the database refuses twice what it comes to.
    StoreError when the database is away."""
    try:
        step()
    except StoreRefusalError:
        try:
            step()
        except StoreRefusalError as refusal:
            _log.error("ecriture-refusee", suivi=message.trace, origine=message.origin, **described(refusal))
            hold_refused(workshop, message, owner, refusal)


def hold_refused(workshop: Workshop, message: Message, owner: str, refusal: StoreRefusalError) -> None:
    """Holds a message whose outcome cannot be written; without its event, when that is what is refused."""
    now = workshop.clock()
    for write in (write_hold, _open_hold):
        try:
            with workshop.store.begin() as conn:
                if messages.finish(conn, message.id, owner, MessageState.HELD, refusal.code, now):
                    write(conn, message, refusal, now)
                else:
                    _log.warning("bail-perdu", suivi=message.trace)
        except StoreRefusalError as again:
            _log.error("retenue-refusee", suivi=message.trace, **described(again))
        else:
            return


def unless_refused(work: Callable[[], int]) -> int:
    """What one part of a look comes to; 0 when the database refuses it, which must not keep the others waiting."""
    try:
        return work()
    except StoreRefusalError as refusal:
        _log.error("ecriture-refusee", **described(refusal))
        return 0


def write_hold(conn: Connection, message: Message, reason: OctError, now: int) -> int:
    """Holds the whole message and says so in the trace; the id of the hold."""
    hold_id = _open_hold(conn, message, reason, now)
    held = Event(
        at=now,
        kind="retenu",
        outcome=reason.code[:12],
        message_id=message.id,
        practitioner_id=message.practitioner_id,
        insurer_id=message.insurer_id,
        data={"retenue": hold_id, "motif": reason.code},
    )
    events.append(conn, [held])
    return hold_id


def _open_hold(conn: Connection, message: Message, reason: OctError, now: int) -> int:
    return holds.open_hold(
        conn,
        NewHold(
            opened_at=now,
            subject=HoldSubject.MESSAGE,
            message_id=message.id,
            code=reason.code,
            sentence=reason.describe(),
            insurer_id=message.insurer_id,
        ),
    )
