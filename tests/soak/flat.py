"""The store stays flat: what a message costs on ten million events and a million lots against ten thousand events.

`python -m tests.soak.flat [--events N] [--messages N] [--rounds N] [--only sqlite|postgresql]`. The same program stands
on a small and on a large past, both filled beforehand, and takes the same load in turn, several rounds. CPU is that of
the program with its workers and, on PostgreSQL, of the server with its sessions; it is counted from round to round, so
that what comes by itself (sealing, sweeps, vacuum) is in it. Only ratios of one run count, for machines drift. Ends
with 1 when the median of the rounds is above 1.10 on one of the databases. Takes 8 GB of disk for a while.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from infra.bench.fill import fill
from oct.bench.ground import Ground
from oct.bench.load import Load, load
from oct.bench.processes import Running, be_oct, cpu_seconds, launch
from oct.bench.sink import Arrivals, sink
from oct.bench.traffic import FOUR, Traffic
from oct.clock import system_clock
from oct.programs import SEAL_MS
from tests.databases import own_cluster
from tests.journeys.waiting import until

SMALL, LARGE = 10_000, 10_000_000
MOST = 1.10
_WARM = 100
_PATIENCE_S = 300
_SERVER = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
"""As PostgreSQL comes."""


@dataclass(slots=True)
class Stand:
    """A program on its past, the processes whose CPU counts, and for each round CPU and wall time, in ms a message."""

    ground: Ground
    processes: Sequence[Running]
    arrivals: Arrivals
    sender: Load
    traffic: Traffic
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def take(self, count: int) -> float:
        """Seconds from the first of so many messages to the last that left."""
        arrived = self.arrivals.messages
        given = self.sender.send(self.ground.door, self.traffic.draw(FOUR, count), _PATIENCE_S)
        assert given.accepted == count, f"{count - given.accepted} messages were refused"
        until("all arrived", lambda: self.arrivals.messages >= arrived + count * FOUR.leaving, _PATIENCE_S)
        return self.arrivals.last - given.started


@contextmanager
def stand(directory: Path, url: str, servers: Sequence[Running]) -> Iterator[Stand]:
    """A program that runs on a database that was filled."""
    log = directory / "log"
    with load() as sender, sink() as (relay, arrivals):
        ground = Ground(directory, relay, store=url)
        with launch(be_oct, ["run", "--config", str(ground.config)], log=log) as program:
            until("the program is ready", lambda: log.exists() and "Prêt" in log.read_text("utf-8"), _PATIENCE_S)
            yield Stand(ground, [program, *servers], arrivals, sender, Traffic(ground.own.certificate))


def compare(small: Stand, large: Stand, messages: int, rounds: int) -> float:
    """The median of the rounds' ratios of CPU."""
    for one in (small, large):
        one.take(_WARM)
    time.sleep(2.2 * SEAL_MS / 1000)  # a program that starts looks through the log once
    for turn in range(rounds):
        both = (small, large) if turn % 2 else (large, small)
        before = [cpu_seconds(one.processes) for one in both]
        for one in both:
            one.wall.append(1000 * one.take(messages) / messages)
        for one, spent in zip(both, before, strict=True):
            one.cpu.append(1000 * (cpu_seconds(one.processes) - spent) / messages)
        told = f"CPU {small.cpu[-1]:.2f} and {large.cpu[-1]:.2f} ms, wall {small.wall[-1]:.2f} and {large.wall[-1]:.2f}"
        print(f"round {turn + 1}: {told} ms a message", flush=True)
    cpu, wall = _ratios(small.cpu, large.cpu), _ratios(small.wall, large.wall)
    print(
        f"CPU a message: {median(small.cpu):.2f} and {median(large.cpu):.2f} ms, ratio {median(cpu):.3f} "
        f"({min(cpu):.3f} to {max(cpu):.3f}), of all rounds {sum(large.cpu) / sum(small.cpu):.3f}; "
        f"wall time, ratio {median(wall):.3f}",
        flush=True,
    )
    return median(cpu)


def _ratios(small: Sequence[float], large: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(large, small, strict=True)]


def run(dialect: str, events: int, messages: int, rounds: int) -> float:
    """The ratio on one of the databases."""
    with ExitStack() as stack:
        stands = []
        for size in (SMALL, events):
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url, servers = f"sqlite:///{directory}/oct.db", list[Running]()
            if dialect == "postgresql":
                cluster, server = stack.enter_context(own_cluster(**_SERVER))
                url, servers = server.create("flat"), [cluster]
            fill(url, size, end=system_clock(), settled=True)
            stands.append(stack.enter_context(stand(directory, url, servers)))
        return compare(stands[0], stands[1], messages, rounds)


def main() -> None:
    """Both databases, one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=LARGE)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    asked = parser.parse_args()
    ratios = []
    for dialect in [asked.only] if asked.only else ["sqlite", "postgresql"]:
        print(f"{dialect}: {SMALL} and {asked.events} events", flush=True)
        ratios.append(run(dialect, asked.events, asked.messages, asked.rounds))
    sys.exit(max(ratios) > MOST)


if __name__ == "__main__":
    main()
