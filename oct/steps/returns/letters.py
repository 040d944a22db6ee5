"""The message that carries a file onward in the envelope it came in: a return to a practitioner (messages.md, R1), an
increment of the opposition list, or a practitioner's request for increments on its way to their issuer (O1).

A practitioner's goes to the registered mailbox, encrypted when there is a certificate on record, otherwise in clear,
and then its description no longer announces an encryption that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cryptography import x509
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
class Cover:
    """What is kept of the envelope that a file came in."""

    subject: str
    description: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to be written, made outside of any transaction because it draws a number."""

    consignment: NewConsignment
    payload: NewPayload


def cover_of(opened: Opened) -> Cover:
    """The envelope of a message that was opened."""
    return Cover(opened.headers.subject, opened.description, opened.content_type)


def seal_letter(
    workshop: Workshop,
    message_id: int,
    cover: Cover,
    practitioner: Practitioner,
    content: bytes,
    snapshot: Snapshot,
) -> Letter:
    """The message for a practitioner that holds `content`, the insurer's file or this practitioner's part of it."""
    try:
        certificate = snapshot.certificate_for(practitioner.address, utc(workshop.clock()))
    except CertificateError:
        certificate = None
    letter = _letter(workshop, "retour", message_id, cover, practitioner.address, content, certificate)
    return replace(letter, consignment=letter.consignment._replace(practitioner_id=practitioner.id))


def seal_request(
    workshop: Workshop, message_id: int, cover: Cover, issuer: str, content: bytes, snapshot: Snapshot
) -> Letter:
    """The message that passes a practitioner's request on to the issuer, always encrypted. CertificateError (H8)."""
    certificate = snapshot.certificate_for(issuer, utc(workshop.clock()))
    return _letter(workshop, "demande", message_id, cover, issuer, content, certificate)


def _letter(
    workshop: Workshop,
    kind: str,
    message_id: int,
    cover: Cover,
    recipient: str,
    content: bytes,
    certificate: x509.Certificate | None,
) -> Letter:
    now = workshop.clock()
    compostage = workshop.numbering.next_compostage(now)
    uid = f"<{kind}.{compostage}@{workshop.rules.address.rpartition('@')[2]}>"
    description, body = "/".join(cover.description.split("/")[:2]), content
    if certificate is not None:
        description, body = f"{description}/K", seal(content, certificate)
    raw = write_return(
        sender=workshop.rules.address,
        recipient=recipient,
        subject=cover.subject,
        description=description,
        content_type=cover.content_type,
        message_id=uid,
        date=workshop.now_in_paris(),
        body=body,
    )
    payload = payloads.seal(workshop.vault, raw)
    consignment = NewConsignment(
        message_id=message_id,
        kind=kind,
        recipient=recipient,
        message_uid=uid,
        payload_id=0,
        size=payload.size,
        sha256=payload.sha256,
        created_at=now,
        due_at=now,
        compostage=compostage,
    )
    return Letter(consignment, payload)


def write_letter(conn: Connection, letter: Letter) -> int:
    """Puts it into the queue, in the caller's transaction; the id of its consignment."""
    (payload_id,) = payloads.insert_many(conn, [letter.payload], letter.consignment.created_at)
    return consignments.insert_many(conn, [letter.consignment._replace(payload_id=payload_id)])[0]
