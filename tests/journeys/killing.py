"""Kills under traffic (P2, P5, H3): what opens messages, then the whole program again and again, at last a stop."""

from __future__ import annotations

import os
import random
import signal
import time

from oct.store import holds
from tests.journeys.families import descendants, ends, openers
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import GARE, KINE, LABO, PONT
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until
from tests.journeys.world import World

SENDERS = (PONT, GARE, KINE, LABO)


def kill_openers(world: World, kills: int, seed: int, pause: float) -> None:
    """P2, H3: what opens messages is killed so many times and replaced; at the door nobody is told anything but 250."""
    traffic = Traffic(world.door, SENDERS, seed, pause=pause)
    traffic.start()
    try:
        for done in range(kills):
            (opener,) = openers(world)
            os.kill(opener, signal.SIGKILL)
            until("it is known", lambda done=done: world.log.count("ouvreur-interrompu") > done)  # type: ignore[misc]
            traffic.flows(4)
    finally:
        traffic.stop()
    world.settle()
    assert world.log.count("ouvreur-interrompu") == kills
    assert traffic.refused == []
    assert sum(one.tries for one in traffic.accepted) == len(traffic.accepted)
    everything_arrived_once(world.outside, traffic)


def kill_and_stop(world: World, kills: int, seed: int, pause: float, stops: int = 1) -> list[float]:
    """P1, P2, P5, T1, D4: killed so many times at random moments, then stopped by SIGTERM, and its openers gone with it
    each time; every 250 reaches each of its insurers, repeats are byte-identical, exactly one ART each. Gives the
    seconds that each stop took."""
    chance = random.Random(seed)
    before = len(world.outside.arrivals)
    traffic = Traffic(world.door, SENDERS, seed, pause=pause)
    traffic.start()
    try:
        for rank in range(kills):
            if rank % 2:
                traffic.flows(2)  # killed at work; the others may be while they start
            time.sleep(chance.uniform(0, 1.5))  # the moment of the kill is what is drawn: nothing is awaited
            family = descendants(world.process.pid)
            world.kill()
            ends(family)
            world.launch()
        took = []
        for _ in range(stops):
            traffic.flows(4)
            family, began = descendants(world.process.pid), time.monotonic()
            assert world.terminate() == 0
            took.append(time.monotonic() - began)
            ends(family)
            world.start()
    finally:
        traffic.stop()
    world.settle()
    assert traffic.refused == []
    assert sum(one.tries for one in traffic.accepted) > len(traffic.accepted) > kills
    everything_arrived_once(world.outside, traffic, since=before)
    with world.store.read() as conn:
        assert holds.list_open(conn) == []
    return took
