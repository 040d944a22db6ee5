"""Waiting for another process: by looking often, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0
_LOOK_S = 0.01


def until(what: str, condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Returns when `condition` holds; AssertionError that names `what` after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"in {seconds} s, not yet: {what}"
        time.sleep(_LOOK_S)
