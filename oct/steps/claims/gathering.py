"""A file that waits for others of its destination, to leave as one with them (A15): its part in processing a message.

It is built as any other and kept unsealed, encrypted at rest; `oct.steps.gather` sends it off. What nothing may be
encrypted to today does not wait here, but in a hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from oct.domain.grouping import gathering_key
from oct.domain.model import Insurer
from oct.domain.outgoing import OutgoingFile
from oct.domain.plan import Planned
from oct.steps.claims.resending import lot_names
from oct.steps.workshop import Workshop
from oct.store import events, gatherings, payloads
from oct.store.events import Event
from oct.store.gatherings import NewGathering
from oct.store.messages import Message
from oct.store.payloads import NewPayload


@dataclass(frozen=True, slots=True)
class Gathering:
    """A file that waits, encrypted at rest, the lots in it, and what it shares with those it may leave with."""

    insurer: Insurer
    file_id: str
    payload: NewPayload
    lots: tuple[Planned, ...]
    key: str


def gather_outgoing(
    workshop: Workshop, outgoing: OutgoingFile, insurer: Insurer, lots: tuple[Planned, ...], version: str
) -> Gathering:
    """The waiting file of a parcel that was built here."""
    derived = any(lot.derived is not None for lot in lots)
    content = outgoing.content
    key = gathering_key(content, insurer.id, version, derived=derived, layouts=workshop.layouts)
    return Gathering(insurer, outgoing.file_id, payloads.seal(workshop.vault, content), lots, key)


def write_gatherings(conn: Connection, message: Message, waiting: Sequence[Gathering], now: int) -> list[int]:
    """Writes files that wait, with their events; the ids of their consignments, in order."""
    payload_ids = payloads.insert_many(conn, [one.payload for one in waiting], now)
    ids = gatherings.insert_many(
        conn,
        [
            NewGathering(
                message_id=message.id,
                insurer_id=one.insurer.id,
                recipient=one.insurer.address,
                file_id=one.file_id,
                gathering_key=one.key,
                payload_id=payload_id,
                size=one.payload.size,
                sha256=one.payload.sha256,
                created_at=now,
            )
            for one, payload_id in zip(waiting, payload_ids, strict=True)
        ],
    )
    events.append(conn, [_event(message, one, row_id, now) for one, row_id in zip(waiting, ids, strict=True)])
    return ids


def _event(message: Message, waiting: Gathering, consignment_id: int, now: int) -> Event:
    return Event(
        at=now,
        kind="groupage",
        outcome="attente",
        message_id=message.id,
        consignment_id=consignment_id,
        insurer_id=waiting.insurer.id,
        data={
            "destinataire": waiting.insurer.address,
            "fichier": waiting.file_id,
            "lots": lot_names(waiting.lots),
            "sha256_fichier": waiting.payload.sha256.hex(),
            "taille": waiting.payload.size,
        },
    )
