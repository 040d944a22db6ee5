"""Slows down whoever sends many messages that cannot be deciphered, so that no oracle can be asked at speed (H4).

Takes messages that have just been claimed; gives those to open now. Once a sender has had as many undecipherable
messages in an hour as the settings allow, whatever it sends is still received, and opened one at a time at that rate:
put off by a delay that does not depend on what is in it. Counted in the database, so all processes slow down together
and a restart forgets nothing. What is in hand when the bound is reached is opened still: one batch for each thread.

Every message put off is an event, which `oct status` counts. No other sender waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from oct.steps.workshop import Workshop
from oct.store import events, messages, undecipherable
from oct.store.alerts import SLOWED
from oct.store.events import Event
from oct.store.messages import Message
from oct.store.undecipherable import Sender, sender_of

HOUR_MS = 3_600_000


def slow_down(conn: Connection, workshop: Workshop, claimed: Sequence[Message], owner: str) -> list[Message]:
    """Puts off the messages of senders with too many undecipherable ones; gives the others, in their order."""
    now, most = workshop.clock(), workshop.rules.undecipherable
    counts = undecipherable.counts(conn, now - HOUR_MS)
    slowed = {sender: count for sender, count in counts.items() if count >= most}
    due: dict[Sender, int] = {}
    at_once = []
    for message in claimed:
        sender = sender_of(message)
        if sender not in slowed:
            at_once.append(message)
            continue
        last = due.get(sender) or max(now, undecipherable.last_due(conn, sender))
        due[sender] = last + HOUR_MS // most
        messages.postpone(conn, message.id, owner, due[sender])
        events.append(conn, [_event(message, now, due[sender], slowed[sender])])
    return at_once


def _event(message: Message, now: int, due_at: int, count: int) -> Event:
    return Event(
        at=now,
        kind=SLOWED,
        outcome="reporte",
        message_id=message.id,
        practitioner_id=message.practitioner_id,
        insurer_id=message.insurer_id,
        data={"pair": message.peer, "reporte_a": due_at, "indechiffrables": count},
    )
