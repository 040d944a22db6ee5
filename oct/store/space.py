"""How much room the database has left on its disk (P3).

SQLite's is known here; PostgreSQL's disk is that of its server, which says so itself when it is full (`base-pleine`).
OSError when the directory of the database cannot be asked.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

_SQLITE = "sqlite:///"


def free_bytes(url: str) -> int | None:
    """What is free on the disk of the database at `url`; None when it is not ours to know."""
    place = _directory(url)
    return None if place is None else shutil.disk_usage(place).free


def is_short(url: str, least: int) -> bool:
    """Whether less than `least` bytes are free."""
    free = free_bytes(url)
    return free is not None and free < least


@cache
def _directory(url: str) -> Path | None:
    """Where the file of a database of SQLite's lies."""
    return Path(url.removeprefix(_SQLITE)).parent if url.startswith(_SQLITE) else None
