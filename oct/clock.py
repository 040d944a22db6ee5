"""The one place that reads the machine's clock.

A `Clock` gives the time as milliseconds since the epoch, UTC: the unit of every instant in the store and the
trace. It is handed in by the bootstrap, so a test can move it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], int]

PARIS = ZoneInfo("Europe/Paris")


def system_clock() -> int:
    """Milliseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000_000


def utc(ms: int) -> datetime:
    """An instant of the store as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def paris(ms: int) -> datetime:
    """An instant of the store in legal French time, which dates of the B2 norm and of the ART use."""
    return datetime.fromtimestamp(ms / 1000, PARIS)


def midnight(day: str, later: int = 0) -> int | None:
    """The instant at which a day (`AAAA-MM-JJ`) begins in France, `later` days after; None when it is no day."""
    try:
        start = datetime.combine(date.fromisoformat(day) + timedelta(days=later), datetime.min.time(), PARIS)
        return int(start.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
