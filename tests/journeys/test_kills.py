"""Killed again and again under traffic, stopped, killed by what it opens: the concentrator loses nothing (P2, P5)."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from oct.store import holds
from tests.journeys.conftest import Launch
from tests.journeys.judgement import arts_of, everything_arrived_once, trace_of
from tests.journeys.practice import GARE, KINE, LABO, PONT, practice
from tests.journeys.traffic import Traffic
from tests.journeys.upgrading import upgrade
from tests.journeys.waiting import PATIENCE_S, until
from tests.journeys.world import World

KILLS = 20
QUEUED = 60
SEED = 20_261_120
SENDERS = (PONT, GARE, KINE, LABO)


def test_killed_twenty_times_under_traffic_nothing_is_lost(launch: Launch) -> None:
    """P1, P2, T1, D4: every 250 reaches each of its insurers, repeats are byte-identical, exactly one ART each."""
    chance = random.Random(SEED)
    with launch() as world:
        traffic = Traffic(world.door, SENDERS, SEED)
        traffic.start()
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.1, 1.8))  # the moment of the kill is what is drawn: nothing is awaited
                world.kill()
                world.launch()
        finally:
            traffic.stop()
        world.settle()
        assert traffic.refused == []
        assert sum(one.tries for one in traffic.accepted) > len(traffic.accepted) > KILLS
        everything_arrived_once(world.outside, traffic)
        assert held(world) == []


def test_a_stop_under_traffic_answers_everybody_and_loses_nothing(launch: Launch) -> None:
    """P5: SIGTERM ends within 10 s with exit code 0."""
    with launch() as world:
        traffic = Traffic(world.door, SENDERS, SEED + 100)
        traffic.start()
        try:
            until("traffic flows", lambda: len(traffic.accepted) >= 20)
            start = time.monotonic()
            code = world.terminate()
            assert (code, time.monotonic() - start < 10) == (0, True)
            world.start()
        finally:
            traffic.stop()
        world.settle()
        assert traffic.refused == []
        everything_arrived_once(world.outside, traffic)
        assert len({one.arrival.raw for one in world.outside.opened()}) == len(world.outside.opened())


def test_an_upgrade_over_a_queue_loses_and_repeats_nothing(launch: Launch) -> None:
    """P5: nobody outside takes anything while it is stopped, migrated and replaced; 1,000 messages in the soak."""
    with launch() as world:
        upgrade(world, QUEUED, SEED + 400, PATIENCE_S)


def test_a_message_that_kills_what_opens_it_is_held_and_its_neighbours_go_on(launch: Launch, tmp_path: Path) -> None:
    """H3: opened three times in all, then held unopened; whatever was open beside it is delivered."""
    openings = tmp_path / "openings"
    with launch((sys.executable, "-m", "tests.journeys.deadly", openings, "run")) as world:
        traffic = Traffic(world.door, SENDERS, SEED + 200)
        traffic.start()
        try:
            until("traffic flows", lambda: len(traffic.accepted) >= 8)
            deadly = practice(PONT, SEED + 300)
            message = deadly.wrap(deadly.claims.single_file(PONT)).replace(b"Message-ID: <", b"Message-ID: <mortel.")
            world.send(deadly.address, message)
            until("it is held", lambda: held(world) != [])
        finally:
            traffic.stop()
        world.settle()
        reply = world.send(deadly.address, message)
        assert openings.read_text(encoding="ascii").count("<mortel.") == 3
        assert held(world) == ["ouverture-interrompue"]
        assert traffic.refused == []
        trace = trace_of(reply.text)
        assert arts_of(world.outside, deadly.address).count(trace) == 1
        everything_arrived_once(world.outside, traffic, besides=1)


def held(world: World) -> list[str]:
    """Why what waits for a person waits."""
    with world.store.read() as conn:
        return [hold.code for hold in holds.list_open(conn)]
