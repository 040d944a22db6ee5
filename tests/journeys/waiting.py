"""Waiting for another process: by looking often at first, then now and then, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 120.0
"""Nothing that works takes so long, on however slow a machine."""
_FIRST_LOOK_S, _LAST_LOOK_S = 0.005, 0.1


def until(what: str, condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Returns when `condition` holds; AssertionError that names `what` after so many seconds."""
    end, pause = time.monotonic() + seconds, _FIRST_LOOK_S
    while not condition():
        assert time.monotonic() < end, f"in {seconds} s, not yet: {what}"
        time.sleep(pause)
        pause = min(1.2 * pause, _LAST_LOOK_S)
