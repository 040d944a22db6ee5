"""How a simulated server misbehaves: refusals, greylisting, silence, connections cut after storing.

A test bends a `Temper` while the server runs; the server asks it at RCPT and at the end of DATA. Each bend concerns
one address, or all when none is given, and wears out after `times` uses. Thread-safe.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to answer to a RCPT, and after how many seconds."""

    reply: str
    delay: float

    @property
    def accepted(self) -> bool:
        """Whether the recipient is taken."""
        return self.reply.startswith("2")


@dataclass(slots=True)
class _Countdown:
    """One bend: it strikes each `every`-th time, `times` times in all."""

    address: str | None
    times: int
    every: int
    code: int = 0
    seen: int = 0

    def strikes(self, address: str) -> bool:
        if self.times == 0 or self.address not in (None, address):
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        self.times -= 1
        return True


class Temper:
    """A server's behaviours. Without a bend it accepts everything at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.behave()

    def behave(self) -> None:
        """Back to a server that accepts everything."""
        with self._lock:
            self._refusals: list[_Countdown] = []
            self._cuts: list[_Countdown] = []
            self._greylists: list[tuple[str | None, int]] = []
            self._attempts: Counter[tuple[str, str]] = Counter()
            self._holes: list[tuple[str | None, float]] = []

    def refuse(self, code: int, times: int, *, address: str | None = None, every: int = 1) -> None:
        """Answers `code` (450 to 554) to the next `times` recipients, or to each `every`-th one."""
        with self._lock:
            self._refusals.append(_Countdown(_folded(address), times, every, code))

    def greylist(self, times: int, *, address: str | None = None) -> None:
        """Refuses, 451, the first `times` tries of each pair of sender and recipient (RFC 6647)."""
        with self._lock:
            self._greylists.append((_folded(address), times))

    def cut_after_storing(self, times: int, *, address: str | None = None, every: int = 1) -> None:
        """Keeps the message durably, then cuts the connection instead of answering 250."""
        with self._lock:
            self._cuts.append(_Countdown(_folded(address), times, every))

    def black_hole(self, seconds: float, *, address: str | None = None) -> None:
        """Leaves each RCPT without an answer for so many seconds, until `behave`."""
        with self._lock:
            self._holes.append((_folded(address), seconds))

    def judge(self, mail_from: str, recipient: str) -> Verdict:
        """The answer to a RCPT."""
        address = recipient.lower()
        with self._lock:
            delay = sum(seconds for bent, seconds in self._holes if bent in (None, address))
            return Verdict(self._reply(mail_from.lower(), address), delay)

    def cuts(self, recipients: Iterable[str]) -> bool:
        """Whether the connection is cut now that the message for these recipients is kept."""
        with self._lock:
            struck = [cut.strikes(address.lower()) for address in recipients for cut in self._cuts]
        return any(struck)

    def _reply(self, mail_from: str, address: str) -> str:
        for refusal in self._refusals:
            if refusal.strikes(address):
                detail = "5.7.1 Refuse" if refusal.code >= 500 else "4.3.2 Momentanement indisponible"
                return f"{refusal.code} {detail}"
        limit = max((times for bent, times in self._greylists if bent in (None, address)), default=0)
        if limit:
            self._attempts[mail_from, address] += 1
            if self._attempts[mail_from, address] <= limit:
                return "451 4.7.1 Liste grise, reessayez plus tard"
        return "250 2.1.5 OK"


def _folded(address: str | None) -> str | None:
    return address.lower() if address is not None else None
