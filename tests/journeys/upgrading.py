"""An upgrade over a queue (P5): the program is replaced by the next while much waits; nothing is lost or repeated."""

from __future__ import annotations

import subprocess
import sys

from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import GARE, KINE, LABO, PONT
from tests.journeys.traffic import Traffic
from tests.journeys.upgraded import AFTER, BEFORE
from tests.journeys.waiting import until
from tests.journeys.world import OCT_PROGRAM, ROOT, World

_FOR_EVER = 10**9


def upgrade(world: World, messages: int, seed: int, patience_s: float) -> None:
    """Queues so many messages while nobody outside takes any, stops, migrates, starts the next version, and judges.
    AssertionError when a promise was broken."""
    world.outside.temper.refuse(450, _FOR_EVER)
    traffic = Traffic(world.door, (PONT, GARE, KINE, LABO), seed, pause=0.0)
    traffic.start()
    try:
        until("enough is queued", lambda: len(traffic.accepted) >= messages, patience_s)
    finally:
        traffic.stop()
    assert world.terminate() == 0
    assert world.outside.arrivals == []
    next_version = (sys.executable, "-m", "tests.journeys.upgraded", world.directory / "migrations")
    _runs([*next_version, "run"], world, code=2, said=f"à la version {BEFORE}, le programme attend la version {AFTER}")
    _runs([*next_version, "migrate"], world, code=0, said=f"Base à la version {AFTER}.")
    _runs([OCT_PROGRAM, "run"], world, code=2, said="une version plus récente du programme l'a mise à jour")
    world.outside.temper.behave()
    world.become([*next_version, "run"])
    world.start()
    world.settle(patience_s)
    assert traffic.refused == []
    everything_arrived_once(world.outside, traffic)
    sent = [one.raw for one in world.outside.arrivals]
    assert len(set(sent)) == len(sent)
    assert world.terminate() == 0


def _runs(command: list[object], world: World, *, code: int, said: str) -> None:
    line = [str(word) for word in (*command, "--config", world.directory / "oct.toml")]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done
    assert said in done.stdout + done.stderr
