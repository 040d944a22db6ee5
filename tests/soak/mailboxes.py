"""P6 at length: 200 mailboxes of 50 returns, the server killed every 2 s while three clients poll; on both databases.

`python -m tests.soak.mailboxes`. Ends with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from oct.store.schema import upgrade
from tests.adapters.pop.storm import Storm
from tests.databases import postgres


def _run(url: str, folder: Path, asked: argparse.Namespace) -> bool:
    """Whether every promise was kept."""
    storm = Storm(url, folder, boxes=asked.boxes, returns=asked.returns)
    started = time.monotonic()
    found = storm.rage(asked.clients, asked.kill_every)
    print(
        f"{url.partition(':')[0]}: {time.monotonic() - started:.0f} s, {found.kills} kills, {found.sessions} sessions, "
        f"{len(found.read)} returns, {found.read.total()} readings, faults: {found.faults or 'none'}",
        flush=True,
    )
    return not found.faults


def main() -> None:
    """One storm on SQLite, one on PostgreSQL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--boxes", type=int, default=200)
    parser.add_argument("--returns", type=int, default=50)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--kill-every", type=float, default=2.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, postgres() as server:
        folder = Path(name)
        urls = f"sqlite:///{folder}/oct.db", server.create("tempete")
        for url in urls:
            upgrade(url)
        kept = [_run(url, folder, asked) for url in urls]
    sys.exit(not all(kept))


if __name__ == "__main__":
    main()
