"""What the steps share when a message cannot come to its end: it is held for a person, never dropped.

`attempt` runs a step's own work and turns every failure into the reason for which the message waits, except that of
the database, which leaves it due. `write_hold` holds the whole message, in the transaction that ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from oct.errors import OctError, RoutingError, StoreError, described
from oct.steps.workshop import Workshop
from oct.store import events, holds
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
    except StoreError:
        raise
    except OctError as error:
        return error
    except Exception as surprise:  # noqa: BLE001 - the runner of steps: a defect holds one message, harms no other
        _log.error("message-surprise", suivi=message.trace, origine=message.origin, **described(surprise))
        return RoutingError("surprise", "Le traitement de ce message a échoué.")


def write_hold(conn: Connection, message: Message, reason: OctError, now: int) -> int:
    """Holds the whole message and says so in the trace; the id of the hold."""
    hold_id = holds.open_hold(
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
