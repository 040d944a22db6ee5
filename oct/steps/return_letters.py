"""The message that carries a return to a practitioner, in the envelope it came in (messages.md, R1).

It goes to the registered mailbox, encrypted when the practitioner has a certificate on record, otherwise in clear, and
then its description no longer announces an encryption that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from oct.clock import utc
from oct.crypto.cms_writer import seal
from oct.domain.model import Practitioner
from oct.envelope.opening import Opened
from oct.errors import CertificateError
from oct.formats.mime_writer import write_return
from oct.steps.workshop import Workshop
from oct.store import consignments, payloads
from oct.store.consignments import NewConsignment
from oct.store.payloads import NewPayload
from oct.store.registry import Snapshot


@dataclass(frozen=True, slots=True)
class Letter:
    """A return ready to be written, made outside of any transaction because it draws a number."""

    consignment: NewConsignment
    payload: NewPayload


def seal_letter(
    workshop: Workshop,
    message_id: int,
    opened: Opened,
    practitioner: Practitioner,
    content: bytes,
    snapshot: Snapshot,
) -> Letter:
    """The message for a practitioner that holds `content`, the insurer's file or this practitioner's part of it."""
    now = workshop.clock()
    compostage = workshop.numbering.next_compostage(now)
    uid = f"<retour.{compostage}@{workshop.rules.address.rpartition('@')[2]}>"
    description, body = "/".join(opened.description.split("/")[:2]), content
    try:
        certificate = snapshot.certificate_for(practitioner.address, utc(now))
    except CertificateError:
        pass
    else:
        description, body = f"{description}/K", seal(content, certificate)
    raw = write_return(
        sender=workshop.rules.address,
        recipient=practitioner.address,
        subject=opened.headers.subject,
        description=description,
        content_type=opened.content_type,
        message_id=uid,
        date=workshop.now_in_paris(),
        body=body,
    )
    payload = payloads.seal(workshop.vault, raw)
    consignment = NewConsignment(
        message_id=message_id,
        kind="retour",
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
    return Letter(consignment, payload)


def write_letter(conn: Connection, letter: Letter) -> int:
    """Puts a return into the queue, in the caller's transaction; the id of its consignment."""
    (payload_id,) = payloads.insert_many(conn, [letter.payload], letter.consignment.created_at)
    return consignments.insert_many(conn, [replace(letter.consignment, payload_id=payload_id)])[0]
