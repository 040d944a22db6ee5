"""How much room the database has left on its disk (P3).

SQLite's is known here; PostgreSQL's disk is that of its server, which says so itself when it is full (`base-pleine`).
OSError when the directory of the database cannot be asked.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_SQLITE = "sqlite:///"


def free_bytes(url: str) -> int | None:
    """What is free on the disk of the database at `url`; None when it is not ours to know."""
    if not url.startswith(_SQLITE):
        return None
    return shutil.disk_usage(Path(url.removeprefix(_SQLITE)).parent).free


def is_short(url: str, least: int) -> bool:
    """Whether less than `least` bytes are free."""
    free = free_bytes(url)
    return free is not None and free < least
