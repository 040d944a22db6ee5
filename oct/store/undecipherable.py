"""Who sent messages that could not be deciphered, and when the messages of one sender are due (H4).

A sender is an account, an insurer, or else the address (IP) that it writes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, func, literal, literal_column, select

from oct.store.messages import Message
from oct.store.tables import messages

CODE = "indechiffrable"
_CODED = messages.c.code == literal_column(f"'{CODE}'")  # as the partial index says it
_PEER = case(
    (messages.c.practitioner_id.is_(None) & messages.c.insurer_id.is_(None), messages.c.peer), else_=literal("")
)
_SENDER = (messages.c.practitioner_id, messages.c.insurer_id, _PEER)
_COUNTS = select(*_SENDER, func.count()).where(_CODED, messages.c.ended_at >= bindparam("since")).group_by(*_SENDER)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose messages are counted together. `peer` is empty where an account or an insurer is known."""

    practitioner_id: int | None
    insurer_id: int | None
    peer: str


def sender_of(message: Message) -> Sender:
    """The sender of a message."""
    known = message.practitioner_id is not None or message.insurer_id is not None
    return Sender(message.practitioner_id, message.insurer_id, "" if known else message.peer)


def counts(conn: Connection, since: int) -> Mapping[Sender, int]:
    """How many messages could not be deciphered since an instant (ms), by sender."""
    rows = conn.execute(_COUNTS, {"since": since})
    return {Sender(*who): how_many for *who, how_many in rows}


def last_due(conn: Connection, sender: Sender) -> int:
    """When the last of a sender's messages that wait is due (ms), 0 when none waits."""
    known = (
        messages.c.practitioner_id.is_not_distinct_from(sender.practitioner_id)
        & messages.c.insurer_id.is_not_distinct_from(sender.insurer_id)
        & (sender.peer == _PEER)
    )
    last: int | None = conn.execute(
        select(func.max(messages.c.due_at)).where(messages.c.due_at.is_not(None), known)
    ).scalar_one()
    return last or 0
