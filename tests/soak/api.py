"""The API at length: schemathesis with another seed each time and many more calls; on both databases.

`python -m tests.soak.api`. Ends with 1 when a promise was broken, and tells the seed that broke it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from oct.crypto import passwords
from oct.domain.rights import Role
from oct.store.schema import upgrade
from tests.adapters.web.fuzzed import HOSTS, attack
from tests.adapters.web.rig import CHEAP, console
from tests.adapters.web.traffic import play, seal
from tests.databases import postgres


def _run(url: str, folder: Path, role: Role, asked: argparse.Namespace) -> bool:
    """Whether every promise was kept."""
    upgrade(url)
    started = time.monotonic()
    with console(folder / "oct", url, web=HOSTS) as rig:
        play(rig)
        seal(rig, folder / "journal")
        found = attack(rig, role, examples=asked.examples, coverage=True, seed=asked.seed)
    print(
        f"{url.partition(':')[0]} {role}: {time.monotonic() - started:.0f} s, seed {asked.seed}, "
        f"{found.statuses.total()} answers ({dict(sorted(found.statuses.items()))}), faults: {found.faults or 'none'}",
        flush=True,
    )
    return not found.faults


def main() -> None:
    """Each role on SQLite, then on PostgreSQL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    asked = parser.parse_args()
    passwords._HASHER = CHEAP
    kept = True
    with tempfile.TemporaryDirectory() as name, postgres() as server:
        for role in Role:
            for kind in ("sqlite", "postgresql"):
                folder = Path(name) / f"{kind}-{role}"
                folder.mkdir()
                url = f"sqlite:///{folder / 'oct.db'}" if kind == "sqlite" else server.create(f"oct_{role}")
                kept &= _run(url, folder, role, asked)
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
