"""What the trace says of each try to hand a consignment over."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection

from oct.steps.concerned import stories_of
from oct.store import lots
from oct.store.consignments import GROUPED, Consignment
from oct.store.events import Event


class Tried(StrEnum):
    """What a try came to."""

    DELIVERED = "remis"
    DEFERRED = "differe"
    FAILED = "echec"


def told_of(
    conn: Connection, consignment: Consignment, outcome: Tried, reply: str, *, tls: bool, now: int
) -> list[Event]:
    """The event of a try, in the story of its message; of files that were grouped (A15), in those of all of them."""
    event = try_event(consignment, outcome, reply, tls=tls, now=now)
    if consignment.kind != GROUPED:
        return [event]
    carried = lots.of_consignment(conn, consignment.id)
    return [event._replace(message_id=story) for story in stories_of(consignment.message_id, carried)]


def try_event(consignment: Consignment, outcome: Tried, reply: str, *, tls: bool, now: int) -> Event:
    """The event of a try at `now` (ms), with the other side's word."""
    return Event(
        at=now,
        kind="remise",
        outcome=outcome,
        message_id=consignment.message_id,
        consignment_id=consignment.id,
        practitioner_id=consignment.practitioner_id,
        insurer_id=consignment.insurer_id,
        data={
            "genre": consignment.kind,
            "destinataire": consignment.recipient,
            "essai": consignment.attempts,
            "reponse": reply,
            "tls": tls,
            "sha256": consignment.sha256.hex(),
        },
    )
