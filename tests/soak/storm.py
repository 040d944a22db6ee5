"""P2 at length: 10,000 messages in the storm, every role and part of production dying, judged from outside.

`python -m tests.soak.storm [--messages N] [--seed N] [--pause S]`. The doors take faster than two cores process, so the
eight senders pause: what is judged is the storm, not a queue. Prints what it found; ends with 1 when a promise was
broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from oct.simulators.envelopes import Judge
from tests.journeys.faults.storm import CUT_EVERY, Storm, repeats, stormy_fleet
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import GARE, KINE, LABO, PONT
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until

BLOW_S = 10.0
"""Long enough for work to flow between two blows, short enough that there are many."""
DRAINED_S = 120.0
_SENDERS = (PONT, GARE, KINE, LABO)
_HOURS_S = 3 * 3600.0


def blow(directory: Path, messages: int, seed: int, pause: float) -> bool:
    """Whether every promise was kept."""
    with stormy_fleet(directory, Judge.CRYPTOGRAPHY) as (fleet, broker, cluster):
        storm = Storm(fleet, broker, cluster, seed, BLOW_S)
        doors = [
            Traffic(fleet.door(name), _SENDERS, seed + 100 * rank, pause=pause)
            for rank, name in enumerate(("smtp-1", "smtp-2"))
        ]
        began = time.monotonic()
        with fleet.supervised():
            for traffic in doors:
                traffic.start()
            storm.start()
            until("enough was taken", lambda: sum(len(one.accepted) for one in doors) >= messages, _HOURS_S)
            storm.stop()
            for traffic in doors:
                traffic.stop()
            ended = time.monotonic()
            fleet.settle(DRAINED_S)
        drained = time.monotonic() - ended
        one = doors[0].with_all_of(doors[1])
        found = repeats(fleet.outside)
        few = found <= storm.interruptions + len(fleet.outside.arrivals) // CUT_EVERY
        print(
            f"{len(one.accepted)} messages in {ended - began:.0f} s, {storm.kills} kills, {storm.blows} blows, "
            f"{len(fleet.outside.arrivals)} arrivals, {found} identical repeats, drained in {drained:.1f} s",
            flush=True,
        )
        everything_arrived_once(fleet.outside, one)
        return few and not one.refused


def main() -> None:
    """One storm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20_261_122)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds at most between two messages of one sender")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sys.exit(not blow(Path(name), asked.messages, asked.seed, asked.pause))


if __name__ == "__main__":
    main()
