"""The texts that the concentrator sends to a practitioner: the ART, and what follows it later (T1, T2).

One ART per message: the database refuses a second one. Both go to the registered mailbox of the PS number, never to
the address that the message came from (H7).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from oct.domain.model import Practitioner
from oct.formats.art import art_envelope
from oct.formats.mime_writer import write_text
from oct.steps.workshop import Workshop
from oct.store import consignments, payloads
from oct.store.consignments import NewConsignment
from oct.store.payloads import NewPayload


class TextKind(StrEnum):
    """The ART itself, or a later text of the same envelope."""

    ART = "art"
    LATER = "texte"


@dataclass(frozen=True, slots=True)
class SealedText:
    """A text ready to be written: made outside of any transaction, because it draws numbers."""

    consignment: NewConsignment
    payload: NewPayload


def seal_text(
    workshop: Workshop,
    kind: TextKind,
    message_id: int,
    practitioner: Practitioner,
    text: str,
    number: str = "",
) -> SealedText:
    """The message that carries a text to the registered mailbox of a practitioner.

    `number` is the one of its numbers that the text is about, the main one unless it is given.
    """
    now = workshop.clock()
    local = workshop.now_in_paris()
    width = workshop.conventions.art_number_width
    envelope = art_envelope(number or practitioner.number, practitioner.type, local, width=width)
    compostage = workshop.numbering.next_compostage(now)
    uid = f"<art.{compostage}@{workshop.rules.address.rpartition('@')[2]}>"
    content = write_text(
        sender=workshop.rules.address,
        recipient=practitioner.address,
        subject=envelope.subject,
        description=envelope.description,
        message_id=uid,
        date=local,
        text=text,
        filename=envelope.filename,
    )
    payload = payloads.seal(workshop.vault, content)
    consignment = NewConsignment(
        message_id=message_id,
        kind=kind,
        recipient=practitioner.address,
        message_uid=uid,
        payload_id=0,
        size=payload.size,
        sha256=payload.sha256,
        created_at=now,
        due_at=now,
        practitioner_id=practitioner.id,
        compostage=compostage,
    )
    return SealedText(consignment, payload)


def write_text_row(conn: Connection, text: SealedText) -> int:
    """Puts a text into the queue, in the caller's transaction; the id of its consignment."""
    (row_id,) = consignments.insert_sealed(conn, [(text.consignment, text.payload)], text.consignment.created_at)
    return row_id
