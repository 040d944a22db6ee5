"""Numbers that never repeat: file ids, compostages, lot numbers, trace numbers.

The counters live in the database; a process takes them in blocks, each in a short write transaction of its own, so
take numbers *before* opening the transaction that uses them. A block's rest is lost with the process: numbers may
jump, never repeat. Fails with StoreError when the database does.

Sources: annex 7.1 (compostage, file_id), L5, C5; messages.md (compostage of the concentrator's own).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from oct.clock import Clock, paris
from oct.store.counters import advance
from oct.store.engine import Store

BLOCK = 64
"""Numbers taken from the database at once: at first, and after a block that was not used up in its time."""

_LARGEST_BLOCK = 2048
"""The next block after one that was used up is twice as large, up to this."""

BLOCK_LIFE_MS = 10_000
"""A compostage keeps 5 digits of the counter: two processes can only meet in one second if one of them draws from a
block 100,000 numbers old. A block is thrown away after 10 s, so that takes 10,000 sendings a second."""

_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_EPOCH_2025_S = 1_735_689_600
_LOTS = 999
_STAMP = "%Y%m%d%H%M%S"


def reserve(store: Store, name: str, count: int) -> range:
    """The next `count` numbers of the counter `name`, in a transaction of its own."""
    with store.begin() as conn:
        last = advance(conn, name, count)
    return range(last - count + 1, last + 1)


class Numbering:
    """The numbers of one process; its methods may be called from any thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._block = iter(range(0))
        self._block_until = 0
        self._size = BLOCK
        self._last = ("", 0)

    def next_sequence(self) -> int:
        """A number that no process of this database ever gets again."""
        with self._lock:
            return self._draw()

    def next_file_id(self) -> str:
        """6 characters, base 36 in capitals (L5). Comes round after 36⁶, two thousand million files."""
        return _digits(self.next_sequence() % 36**6, _BASE36, 6)

    def next_compostage(self, now_ms: int) -> str:
        """19 digits: AAAAMMJJHHMMSS in Paris, then 5 of the counter. Strictly increasing within the process.

        The second is put forward when the counter comes round within it or the clock went back. The hour that the
        end of summer time repeats is stamped with its last second, as if the clock stood still.
        """
        with self._lock:
            number = self._draw() % 100_000
            stamp = _stamp(now_ms // 1000)
            last_stamp, last_number = self._last
            if (stamp, number) <= self._last:
                stamp = last_stamp if number > last_number else _next_second(last_stamp)
            self._last = (stamp, number)
        return f"{stamp}{number:05d}"

    def next_lot_number(self, ps_number: str, amc_number: str) -> str:
        """999 down to 001, then 999 again, for the lots derived from this PS for this AMC (C5).

        Practitioners' software counts up from 001: on one day, its DRE lots and ours for one AMC share no number.
        """
        number = reserve(self._store, f"lot:{ps_number}:{amc_number}", 1)[0]
        return f"{_LOTS - (number - 1) % _LOTS:03d}"

    def _draw(self) -> int:
        now = self._clock()
        in_time = now < self._block_until
        number = next(self._block, None) if in_time else None
        if number is None:
            self._size = min(2 * self._size, _LARGEST_BLOCK) if in_time else BLOCK
            self._block = iter(reserve(self._store, "sequence", self._size))
            self._block_until = now + BLOCK_LIFE_MS
            number = next(self._block)
        return number


@lru_cache(maxsize=1)
def _stamp(now_s: int) -> str:
    """AAAAMMJJHHMMSS of a second since the epoch, as `next_compostage` says."""
    local = paris(now_s * 1000)
    return f"{local.replace(minute=59, second=59) if local.fold else local:{_STAMP}}"


def _next_second(stamp: str) -> str:
    after = datetime.strptime(stamp, _STAMP) + timedelta(seconds=1)  # noqa: DTZ007 - legal French time, as it is written
    return f"{after:{_STAMP}}"


def trace_number(now_ms: int, chance: Callable[[int], bytes]) -> str:
    """The number to quote on the phone, `XXXXXX-XXXXXXXX` in Crockford's base 32 (no I, L, O, U): 30 bits of seconds
    since 2025, then 40 bits of `chance`, which gives as many random bytes as it is asked for."""
    seconds = (now_ms // 1000 - _EPOCH_2025_S) % 2**30
    return f"{_digits(seconds, _CROCKFORD, 6)}-{_digits(int.from_bytes(chance(5)), _CROCKFORD, 8)}"


def _digits(number: int, alphabet: str, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(alphabet))
        digits.append(alphabet[digit])
    return "".join(reversed(digits))
