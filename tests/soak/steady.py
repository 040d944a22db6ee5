"""P7 at length: 30 messages a second for 30 minutes through the whole concentrator, its memory and its files flat.

`python -m tests.soak.steady [--minutes N] [--rate N]`. Memory is what the program's processes hold of their own, what
they share counted once and mapped files left out (other programs share those), compared between the end of the fifth
minute and the end. Ends with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from oct.bench.ground import Ground
from oct.bench.load import load
from oct.bench.processes import be_oct, family, launch
from oct.bench.sink import Arrivals, sink
from oct.bench.traffic import FOUR, Traffic
from tests.journeys.waiting import until

CHUNK_S = 30
WARM_MINUTES = 5
GROWTH = 1.05
P99_MS = 250.0


@dataclass(frozen=True, slots=True)
class Weight:
    """What the processes of the program hold: bytes of memory, open files."""

    memory: int
    files: int


def weigh(pids: Iterable[int]) -> Weight:
    """All of these processes together."""
    memory = files = 0
    for pid in pids:
        with suppress(OSError):  # it may end while it is weighed
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
            memory += 1024 * next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss_Anon:"))
            files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Weight(memory, files)


def run(directory: Path, minutes: int, rate: int) -> bool:
    """Whether every promise was kept."""
    waits: list[float] = []
    weights: list[Weight] = []
    taken = 0
    with load() as sender, sink() as (relay, arrivals):
        ground = Ground(directory, relay)
        traffic = Traffic(ground.own.certificate)
        log = directory / "log"
        with launch(be_oct, ["run", "--config", str(ground.config)], log=log) as program:
            until("the program is ready", lambda: log.exists() and "Prêt" in log.read_text("utf-8"))
            for chunk in range(minutes * 60 // CHUNK_S):
                given = sender.send(ground.door, traffic.draw(FOUR, rate * CHUNK_S), 2.0 * CHUNK_S, rate)
                assert given.refused == 0, f"{given.refused} messages were refused"
                taken += given.accepted
                waits += given.waits_ms
                weights.append(weigh(family([program])))
                _tell((chunk + 1) * CHUNK_S, weights[-1], given.waits_ms)
            until("all arrived", lambda: arrivals.messages >= taken * FOUR.leaving, 120)
    return _judged(weights, waits, taken, arrivals)


def _judged(weights: list[Weight], waits: list[float], taken: int, arrivals: Arrivals) -> bool:
    warm, end = weights[min(WARM_MINUTES * 60 // CHUNK_S, len(weights)) - 1], weights[-1]
    p99 = quantiles(waits, n=100)[98]
    print(
        f"{taken} messages, {arrivals.messages} arrivals, memory {end.memory / warm.memory - 1:+.1%}, "
        f"files {end.files - warm.files:+d}, p99 of the 250 {p99:.0f} ms",
        flush=True,
    )
    return end.memory <= warm.memory * GROWTH and end.files <= warm.files + 2 and p99 <= P99_MS


def _tell(second: int, weight: Weight, waits: list[float]) -> None:
    p99 = quantiles(waits, n=100)[98]
    print(f"{second:5d} s  {weight.memory / 1e6:7.1f} MB  {weight.files:4d} files  p99 {p99:6.1f} ms", flush=True)


def main() -> None:
    """One run, in a temporary folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--rate", type=int, default=30)
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        kept = run(Path(name), asked.minutes, asked.rate)
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(not kept)


if __name__ == "__main__":
    main()
