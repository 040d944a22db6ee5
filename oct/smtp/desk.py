"""What stands behind every session of a door: the callables, the counters, the answer to a surprise, the checks.

Fails by answering: whatever a callable raises, or its silence, becomes a 451 with a trace number; the exception's type
and stack go to the log, never its text nor a byte of the message (P1, H5).
"""

from __future__ import annotations

import asyncio
import ssl
import traceback
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiosmtpd.smtp import Envelope
from aiosmtpd.smtp import Session as PeerState

from oct.doors.admission import Admission, ip_of
from oct.smtp import replies
from oct.smtp.addresses import NULL_PATH
from oct.smtp.memory import Memory
from oct.smtp.transaction import (
    Accept,
    Authenticate,
    DoorLimits,
    KnowsRecipient,
    Refused,
    RefusesSender,
    Reply,
    TraceNumber,
    Transaction,
)

_log = structlog.get_logger(__name__)


class OpenSession(Protocol):
    """What the door asks of a session when it stops."""

    @property
    def task(self) -> asyncio.Task[None]:
        """Ends when the session does."""

    def retire(self) -> None:
        """End as soon as no DATA is open."""

    def dismiss(self, reply: Reply) -> None:
        """End now."""


@dataclass(slots=True)
class Desk:
    """What the sessions of one door share."""

    hostname: str
    limits: DoorLimits
    accept: Accept
    knows_recipient: KnowsRecipient
    screen_sender: RefusesSender
    trace_number: TraceNumber
    refused: Refused
    authenticate: Authenticate | None
    tls: ssl.SSLContext | None
    admission: Admission
    memory: Memory
    sessions: set[OpenSession] = field(default_factory=set)
    accepting: set[asyncio.Task[Reply]] = field(default_factory=set)

    async def receive(self, transaction: Transaction, held: int) -> Reply:
        """What `accept` answers, or the 451 for its exception or its silence; gives `held` octets back at the end."""
        try:
            async with asyncio.timeout(self.limits.accept_seconds):
                return await self.accept(transaction)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the door answers for all that fails (P1)
            return self.surprise(error)
        finally:
            self.memory.give(held)

    def surprise(self, error: BaseException) -> Reply:
        """Log an unforeseen exception (its type and stack only) and give the 451 that answers it."""
        try:
            trace = self.trace_number()
        except Exception:  # noqa: BLE001 - the answer to a surprise must not depend on anything that can fail
            trace = ""
        frames = traceback.extract_tb(error.__traceback__)
        stack = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        _log.error("door.surprise", trace=trace, exception=type(error).__name__, stack=stack)
        return replies.internal_error(trace)


class Checks:
    """aiosmtpd's hooks: whether this sender may speak, whether this recipient is ours."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __dir__(self) -> list[str]:
        """What aiosmtpd looks through, for every connection, to find hooks."""
        return ["handle_MAIL", "handle_RCPT"]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _session: object, peer: PeerState, envelope: Envelope, address: str, options: list[str]
    ) -> Reply:
        """Refuse for want of memory, or by the callable's word."""
        desk = self._desk
        declared = next((int(option[5:]) for option in options if option.startswith("SIZE=")), 1)
        if not desk.memory.has_room(declared):
            return replies.NO_MEMORY
        async with asyncio.timeout(desk.limits.accept_seconds):
            refusal = await desk.screen_sender(without_brackets(address), ip_of(peer.peer))
        if refusal is not None:
            return refusal
        envelope.mail_from = address
        return replies.OK

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _session: object, _peer: PeerState, envelope: Envelope, address: str, _options: list[str]
    ) -> Reply:
        """Refuse one too many, and whoever is not ours."""
        desk = self._desk
        if len(envelope.rcpt_tos) >= desk.limits.recipients:
            return replies.TOO_MANY_RECIPIENTS
        async with asyncio.timeout(desk.limits.accept_seconds):
            known = address != NULL_PATH and await desk.knows_recipient(address)
        if not known:
            return replies.UNKNOWN_RECIPIENT
        envelope.rcpt_tos.append(address)
        return replies.OK


def without_brackets(address: str) -> str:
    """The MAIL address, empty for the null path."""
    return "" if address == NULL_PATH else address
