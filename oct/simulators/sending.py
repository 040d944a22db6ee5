"""How the simulated world hands a message over: one SMTP session each, whatever comes of it told as a `Reply`."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass

_PATIENCE = 60.0
"""Seconds to wait for the other side."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of an SMTP server; code 0 when the connection broke before one came."""

    code: int
    text: str

    @property
    def accepted(self) -> bool:
        """Whether the message is the server's from now on."""
        return 200 <= self.code < 300


def deliver(door: tuple[str, int], mail_from: str, recipient: str, message: bytes) -> Reply:
    """One message in one SMTP session. Any refusal or break is a Reply."""
    try:
        with smtplib.SMTP(*door, local_hostname="simulateur.example", timeout=_PATIENCE) as session:
            code, text = _transact(session, mail_from, recipient, message)
    except smtplib.SMTPResponseException as refused:
        code, text = refused.smtp_code, _bytes(refused.smtp_error)
    except (smtplib.SMTPException, OSError) as broken:
        code, text = 0, type(broken).__name__.encode()
    return Reply(code, text.decode("utf-8", "replace"))


def _transact(session: smtplib.SMTP, mail_from: str, recipient: str, message: bytes) -> tuple[int, bytes]:
    session.ehlo()
    code, text = session.mail(mail_from)
    if code < 400:
        code, text = session.rcpt(recipient)
    return session.data(message) if code < 400 else (code, text)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
