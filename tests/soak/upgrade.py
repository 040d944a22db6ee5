"""P5 at length: an upgrade over 1,000 queued messages, judged from outside.

`python -m tests.soak.upgrade [--messages N] [--seed N]`. Prints what it found; ends with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.journeys.installation import install
from tests.journeys.upgrading import upgrade
from tests.journeys.world import OCT_PROGRAM, running

_PATIENCE_S = 1200.0


def main() -> None:
    """One upgrade."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=20_261_160)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        template = Path(name) / "installation"
        template.mkdir()
        install(template)
        began = time.monotonic()
        with running(template, Path(name) / "world", (OCT_PROGRAM, "run")) as world:
            upgrade(world, asked.messages, asked.seed, _PATIENCE_S)
            took = time.monotonic() - began
            print(
                f"{asked.messages} messages, {len(world.outside.arrivals)} arrivals, none lost or twice, {took:.0f} s"
            )


if __name__ == "__main__":
    main()
