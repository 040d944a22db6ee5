"""Failed logins slow the next ones down: a delay that doubles, up to a cap, and is forgotten after a while (H2, H9).

Three counts of failures: of the address, of the login, and of the two together. An address that has opened this login
lately answers for that pair alone, so that neither a stranger who tries passwords nor a neighbour behind the same
router keeps a practitioner out. Anybody else answers for the address and the login, whichever is worse, and an
address waits for one login at a time: more connections do not buy more guesses.

Instants and durations are seconds of the caller's monotonic clock. Memory is bounded: the oldest counts go first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

_KEPT = 10_000

_Key = tuple[str, str]
"""A login and a group of addresses; either may be empty."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """`first` is the delay after one failure, `cap` the longest; `memory` without a failure forgets them all."""

    first: float = 1.0
    cap: float = 30.0
    memory: float = 900.0
    trust: float = 30 * 86_400.0
    """How long a successful login vouches for its address."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Seconds to wait, and for what the next one is refused meanwhile."""

    delay: float
    key: _Key | None


class Throttle:
    """The failed and successful logins of one door."""

    def __init__(self, slowness: Slowness) -> None:
        self._slowness = slowness
        self._failures: OrderedDict[_Key, tuple[int, float]] = OrderedDict()
        self._good: OrderedDict[_Key, float] = OrderedDict()
        self._waiting: set[_Key] = set()

    def enter(self, login: str, address: str, now: float) -> Turn | None:
        """A turn to be looked at, after its delay; None when the login must be refused, because another one that
        answers for the same failures waits already. Unless None, `leave` must follow."""
        if self._is_good(login, address, now):
            key, delay = (login, address), self._delay((login, address), now)
        else:
            key = ("", address)
            delay = max(self._delay(key, now), self._delay((login, ""), now))
        if not delay:
            return Turn(0.0, None)
        if key in self._waiting:
            return None
        self._waiting.add(key)
        return Turn(delay, key)

    def leave(self, turn: Turn) -> None:
        """The login was looked at, or its peer is gone."""
        if turn.key is not None:
            self._waiting.discard(turn.key)

    def failed(self, login: str, address: str, now: float) -> None:
        """Count a wrong password or an unknown login."""
        for key in ((login, address), ("", address), (login, "")):
            count = self._count(key, now)
            self._failures.pop(key, None)
            self._failures[key] = count + 1, now
            _bound(self._failures)

    def succeeded(self, login: str, address: str, now: float) -> None:
        """Forget the failures of the pair, and let it vouch for itself from now on."""
        self._failures.pop((login, address), None)
        self._good.pop((login, address), None)
        self._good[login, address] = now
        _bound(self._good)

    def _is_good(self, login: str, address: str, now: float) -> bool:
        since = self._good.get((login, address))
        return since is not None and now - since < self._slowness.trust

    def _delay(self, key: _Key, now: float) -> float:
        count = self._count(key, now)
        return min(self._slowness.cap, self._slowness.first * 2.0 ** min(count - 1, 30)) if count else 0.0

    def _count(self, key: _Key, now: float) -> int:
        count, last = self._failures.get(key, (0, now))
        return count if now - last < self._slowness.memory else 0


def _bound(kept: OrderedDict[_Key, tuple[int, float]] | OrderedDict[_Key, float]) -> None:
    if len(kept) > _KEPT:
        kept.popitem(last=False)
