"""What one message costs in CPU beside its bare cryptography, printed as a ratio; run by hand with `make bench`.

How it is measured stands in `oct/bench/floor.py`. With `--memory` it opens, splits and seals one file of 30 MB and
prints the peak of memory.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import replace

from oct.bench.floor import Scene, cost
from oct.bench.traffic import FOUR

_ROUNDS = 300
_GOAL = 2.0


def print_cost() -> None:
    """CPU per message and the ratio to the floor."""
    found = cost(_ROUNDS)
    print(
        f"{FOUR.invoices} invoices, {FOUR.destinations} destinations, {found.octets} bytes: "
        f"{found.whole_ms * 1000:.0f} µs of CPU, bare cryptography {found.bare_ms * 1000:.0f} µs"
    )
    print(f"ratio {found.ratio:.2f} (goal: at most {_GOAL:.0f})")


def print_memory(scene: Scene) -> None:
    """The peak of memory of a 30 MB file."""
    shape = replace(FOUR, invoices=2000)
    times = 30_000_000 // len(scene.traffic.file(shape).data)
    raw = scene.traffic.message(scene.traffic.file(shape, times), shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    leaving = scene.whole_way(raw)
    seconds = time.process_time() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"message of {len(raw) >> 20} MiB, {leaving >> 20} MiB leaving: {seconds:.1f} s of CPU")
    print(f"peak of the whole process {after >> 10} MiB (before: {before >> 10} MiB)")


if __name__ == "__main__":
    if "--memory" in sys.argv:
        print_memory(Scene())
    else:
        print_cost()
