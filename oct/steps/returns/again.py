"""Sends what was sent, or deposited, again: the same bytes under the same Message-ID (R5, R6).

Where it went before, the same consignment goes again; anywhere else, a new one carries the same payload.
"""

from __future__ import annotations

from sqlalchemy import Connection

from oct.store import consignments, holds
from oct.store.consignments import Consignment, NewConsignment


def send_again(conn: Connection, consignment: Consignment, recipient: str, now: int) -> bool:
    """Puts a consignment into the queue for `recipient`; False when it waits there already.

    A hold that a failure had opened is settled by it.
    """
    for earlier in consignments.by_message_uids(conn, [consignment.message_uid]):
        if earlier.recipient == recipient and earlier.payload_id == consignment.payload_id:
            for hold in holds.of_consignment(conn, earlier.id):
                holds.close(conn, hold.id, "renvoye", now)
            return consignments.requeue(conn, earlier.id, now)
    copy = NewConsignment(
        message_id=consignment.message_id,
        kind="texte" if consignment.kind == "art" else consignment.kind,  # T1: a message has one ART
        recipient=recipient,
        message_uid=consignment.message_uid,
        payload_id=consignment.payload_id,
        size=consignment.size,
        sha256=consignment.sha256,
        created_at=now,
        due_at=now,
        practitioner_id=consignment.practitioner_id,
        compostage=consignment.compostage,
    )
    consignments.insert_many(conn, [copy])
    return True
