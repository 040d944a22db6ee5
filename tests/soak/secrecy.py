"""T4 at length: 1,000 messages with a patient each, and none of them found in what the concentrator left.

`python -m tests.soak.secrecy [--messages N]`. Prints what it found; ends with 1 when a patient was found.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.journeys.installation import install
from tests.journeys.secrecy import leaks_below, messages, readable_without_keys
from tests.journeys.world import OCT_PROGRAM, running


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Promise T4 at length.")
    parser.add_argument("--messages", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        template, left = Path(home, "installation"), Path(home, "temporaire")
        template.mkdir()
        left.mkdir()
        install(template)
        os.environ |= {"TMPDIR": str(left), "OCT_LOG": "debug"}
        with running(template, Path(home, "monde"), (OCT_PROGRAM, "run")) as world:
            for sender, message in messages(given.messages):
                assert world.send(sender, message).code == 250
            world.settle(600)
            world.kill()
            found = [*leaks_below(world.directory), *leaks_below(left)]
            readable = readable_without_keys(world.store)
    print(f"{given.messages} messages: {len(found)} leaks, {readable} contents readable without their keys")
    for one in found:
        print(f"  {one}")
    return 1 if found or readable else 0


if __name__ == "__main__":
    sys.exit(main())
