"""Messages of the simulated world: the three encrypted shapes of rule M2, the clear one, and how to read what comes.

Built by templates, not by the concentrator's own builder. Lines end in CRLF and base64 is cut at 76 columns.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import format_datetime
from enum import StrEnum

from oct.clock import paris


class Shape(StrEnum):
    """How the sealed file stands in its message (M2); CLEAR is the same as EDI with a file that is not sealed."""

    MULTIPART = "a"
    FLAT = "b"
    EDI = "c"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The headers of a message. `sent_at` in milliseconds; `answers` is the Message-ID it answers, or nothing."""

    sender: str
    recipient: str
    subject: str
    sent_at: int
    message_id: str
    description: str
    name: str
    answers: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it arrived in a simulated mailbox."""

    mail_from: str
    rcpt_to: str
    raw: bytes

    @property
    def message(self) -> Message:
        """The message, parsed."""
        return message_from_bytes(self.raw)

    @property
    def subject(self) -> str:
        """The Subject, unfolded."""
        return "".join(str(self.message["Subject"] or "").splitlines())

    @property
    def description(self) -> str:
        """Content-Description, upper case: `ART/ER`, `ARL/SV`…"""
        return str(self._carrier()["Content-Description"] or "").strip().upper()

    @property
    def content(self) -> bytes:
        """The attachment, its transfer encoding undone: a file, a text, or a sealed envelope."""
        payload = self._carrier().get_payload(decode=True)
        return payload if isinstance(payload, bytes) else b""

    def _carrier(self) -> Message:
        """The part that carries the file: the first that is no plain text, else the first."""
        leaves = [part for part in self.message.walk() if not part.is_multipart()]
        return next((part for part in leaves if part.get_content_type() != "text/plain"), leaves[0])


def compose(envelope: Envelope, shape: Shape, content: bytes) -> bytes:
    """The message as it is handed to DATA."""
    headers = [
        f"From: {envelope.sender}",
        f"To: {envelope.recipient}",
        f"Subject: {envelope.subject}",
        f"Date: {format_datetime(paris(envelope.sent_at))}",
        f"Message-ID: {envelope.message_id}",
        *([f"In-Reply-To: {envelope.answers}"] if envelope.answers else []),
        "MIME-Version: 1.0",
    ]
    body = base64.encodebytes(content).replace(b"\n", b"\r\n")
    match shape:
        case Shape.MULTIPART:
            mark = "=_envoi"
            headers += [f'Content-Type: multipart/mixed; boundary="{mark}"', "", f"--{mark}"]
            headers += ["Content-Type: text/plain", "", "Envoi du logiciel", f"--{mark}", *_sealed(envelope)]
            body += f"--{mark}--\r\n".encode()
        case Shape.FLAT:
            headers += _sealed(envelope)
        case Shape.EDI | Shape.CLEAR:
            headers += _part(f'Application/EDI-consent; name="{envelope.name}"', envelope)
    return "\r\n".join([*headers, "", ""]).encode("ascii") + body


def _sealed(envelope: Envelope) -> list[str]:
    return _part('application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"', envelope)


def _part(content_type: str, envelope: Envelope) -> list[str]:
    return [
        f"Content-Type: {content_type}",
        "Content-Transfer-Encoding: base64",
        f"Content-Description: {envelope.description}",
    ]
