"""What passes between the door and the rest of the program: a received transaction, a reply, and the callables.

The door is handed callables and knows nothing of what stands behind them. Any exception one of them raises,
or its silence beyond `DoorLimits.accept_seconds`, becomes a 451 with a trace number.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Transaction:
    """One SMTP transaction, complete. Whoever has sealed its `content` empties it: a large one must not wait in memory
    for its answer.

    `peer` is the client's IP address; `mail_from` is empty for `<>`; `content` is the message after un-dot-stuffing,
    every line ended by CRLF, without the final dot; `authenticated_as` is the login of a successful AUTH.
    """

    peer: str
    helo: str
    mail_from: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    authenticated_as: str | None
    tls: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply of one line: `text` is ASCII and begins with the enhanced status code (RFC 3463)."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What one door gives to its peers; sizes in bytes (`line_octets` without the line end), durations in seconds.

    `data_seconds` is for one whole DATA, `accept_seconds` for each callable, `memory_bytes` for the content of all
    sessions together, `errors` the number of refused commands at which a session is closed.
    """

    connections: int = 4000
    connections_per_address: int = 50
    recipients: int = 100
    errors: int = 10
    message_bytes: int = 50_000_000
    line_octets: int = 998
    memory_bytes: int = 256_000_000
    idle_seconds: float = 300
    data_seconds: float = 600
    accept_seconds: float = 30


Accept = Callable[[Transaction], Awaitable[Reply]]
"""Takes a transaction and answers for it: 250 only when it is on disk (P1)."""

KnowsRecipient = Callable[[str], Awaitable[bool]]
"""Whether an address is one of ours (H2: no relay)."""

RefusesSender = Callable[[str, str], Awaitable[Reply | None]]
"""Takes the MAIL address (empty for `<>`) and the peer's IP address; gives the refusal, or None."""

Authenticate = Callable[[str, str], Awaitable[bool]]
"""Takes a login and a password; whether they go together."""

TraceNumber = Callable[[], str]
"""A fresh trace number, to quote on the phone."""

Refused = Callable[[str, Reply], None]
"""Told the peer's IP address and what it was answered, whenever a message, a sender or a recipient was not taken.
Neither waits nor fails."""
