"""Makes the message that carries a file to an insurer: compressed, encrypted to its certificate, in EDI-consent form.

Everything that could change from one try to the next (compostage, Message-ID, date) is handed in once: the bytes are
written down before they are sent, and a retry sends them again. Sources: annex 7.1, messages.md, assumptions A4, A5.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from oct.crypto.cms_writer import ContentCipher, seal
from oct.domain.model import Insurer
from oct.domain.outgoing import OutgoingFile
from oct.formats.compression import Compression, deflate
from oct.formats.mime_writer import wrap_entity, write_facture
from oct.formats.subject import FactureSubject

_MOST_INVOICES = 99_999
"""What the 5 digits of a Subject can say."""
FILE_NAME = "factures.b2"


@dataclass(frozen=True, slots=True)
class Packed:
    """A file as it is encrypted, and what else its message says of it: its own bytes may go."""

    plaintext: bytes = field(repr=False)
    compressed: bool
    file_sha256: bytes
    """Of the file in clear."""
    sender_number: str
    invoice_count: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message ready to leave. `file_sha256` is that of the file in it, in clear."""

    content: bytes = field(repr=False)
    message_id: str
    compostage: str
    file_sha256: bytes


def pack(file: OutgoingFile, insurer: Insurer) -> Packed:
    """The file compressed and wrapped as `insurer` wants it (A4, A5)."""
    compression = Compression(insurer.compression)
    plaintext = deflate(file.pieces, compression)
    if insurer.plaintext_form == "mime":
        plaintext = wrap_entity(plaintext, FILE_NAME)
    digest = hashlib.sha256()
    for piece in file.pieces:
        digest.update(piece)
    compressed = compression is not Compression.NONE
    return Packed(plaintext, compressed, digest.digest(), file.sender_number, file.invoice_count)


def seal_packed(
    packed: Packed,
    insurer: Insurer,
    certificate: x509.Certificate,
    *,
    sender: str,
    version: str,
    compostage: str,
    date: datetime,
    description: str = "FACTURE/SV",
) -> Sealed:
    """The message for `insurer`. `version` is that of the cahier des charges as received, `date` is aware.

    `description` has two parts; the third says what was done to the file.
    """
    number, count = packed.sender_number.zfill(14), min(packed.invoice_count, _MOST_INVOICES)
    message_id = f"<{compostage}@{sender.rpartition('@')[2]}>"
    content = write_facture(
        sender=sender,
        recipient=insurer.address,
        subject=FactureSubject(version, number, compostage, count).write(),
        description=f"{description}/{'ZK' if packed.compressed else 'K'}",
        message_id=message_id,
        date=date,
        cms=seal(packed.plaintext, certificate, ContentCipher(insurer.cipher)),
        filename=FILE_NAME,
    )
    return Sealed(content, message_id, compostage, packed.file_sha256)
