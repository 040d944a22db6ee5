"""The processes that open messages: replaced when they die, gone when their parent is, however it died."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from pathlib import Path

from tests.journeys.conftest import Launch
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import GARE, KINE, LABO, PONT
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until
from tests.journeys.world import World

KILLS = 2
SEED = 20_261_300


def test_openers_that_are_killed_are_replaced_and_nothing_is_lost(launch: Launch) -> None:
    """P2, H3: the door stays open meanwhile, and nobody is told anything but 250."""
    with launch() as world:
        traffic = Traffic(world.door, (PONT, GARE, KINE, LABO), SEED)
        traffic.start()
        try:
            for _ in range(KILLS):
                (opener,) = until_open(world)
                before = len(traffic.accepted)
                os.kill(opener, signal.SIGKILL)
                until("traffic goes on", lambda before=before: len(traffic.accepted) >= before + 4)  # type: ignore[misc]
        finally:
            traffic.stop()
        world.settle()
        assert world.log.count("ouvreur-interrompu") == KILLS
        assert traffic.refused == []
        assert sum(one.tries for one in traffic.accepted) == len(traffic.accepted)
        everything_arrived_once(world.outside, traffic)


def test_openers_end_with_their_parent(launch: Launch) -> None:
    with launch() as world:
        for end in (world.kill, world.terminate):
            until_open(world)
            family = descendants(world.process.pid)
            end()
            until("nobody is left", lambda family=family: not any(map(lives, family)))  # type: ignore[misc]
            world.start()


def until_open(world: World) -> list[int]:
    """The openers of the program, once they run: the children of the process that they are copied from."""
    until("openers run", lambda: openers(world) != [])
    return openers(world)


def openers(world: World) -> list[int]:
    first = descendants(world.process.pid)
    return [pid for pid in first if parents().get(pid) in first]


def descendants(pid: int) -> list[int]:
    """All processes under one."""
    children = defaultdict[int, list[int]](list)
    for child, parent in parents().items():
        children[parent].append(child)
    found, waiting = list[int](), [pid]
    while waiting:
        found += children[waiting[-1]]
        waiting += children[waiting.pop()]
    return found


def parents() -> dict[int, int]:
    """Who is whose child, of those that live."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            found[int(stat.parent.name)] = int(parent)
    return found


def lives(pid: int) -> bool:
    return pid in parents()
