"""Killed again and again under traffic, stopped, killed by what it opens: the concentrator loses nothing (P2, P5).

`endurance` kills it more often.
"""

from __future__ import annotations

import sys
from pathlib import Path

from oct.store import holds
from tests.journeys.conftest import Launch
from tests.journeys.deadly import DEADLY, ENDLESS
from tests.journeys.judgement import arts_of, everything_arrived_once, trace_of
from tests.journeys.killing import kill_and_stop, kill_openers
from tests.journeys.practice import GARE, KINE, LABO, PONT, practice
from tests.journeys.traffic import Traffic
from tests.journeys.upgrading import upgrade
from tests.journeys.waiting import PATIENCE_S, until
from tests.journeys.world import World

KILLS = 3
QUEUED = 12
SEED = 20_261_120
PAUSE_S = 0.4


def test_killed_and_stopped_under_traffic_nothing_is_lost(launch: Launch) -> None:
    """P1, P2, P5, T1, D4, H3: an opener, then three times the whole program, then SIGTERM, which ends with code 0."""
    with launch() as world:
        kill_openers(world, 1, SEED + 100, PAUSE_S)
        kill_and_stop(world, KILLS, SEED, PAUSE_S)


def test_an_upgrade_over_a_queue_loses_and_repeats_nothing(launch: Launch) -> None:
    """P5: nobody outside takes anything while it is stopped, migrated and replaced; 1,000 messages in the soak."""
    with launch() as world:
        upgrade(world, QUEUED, SEED + 400, PATIENCE_S)


def test_messages_that_kill_what_opens_them_or_never_end_are_held_and_their_neighbours_go_on(
    launch: Launch, tmp_path: Path
) -> None:
    """H3: opened three times in all, then held unopened; whatever was open beside them is delivered."""
    openings = tmp_path / "openings"
    launcher = (sys.executable, "-m", "tests.journeys.deadly", openings, "run")
    with launch(launcher, queue='time_limit = "2s"') as world:
        traffic = Traffic(world.door, (GARE, KINE, LABO), SEED + 200, pause=PAUSE_S)
        traffic.start()
        try:
            traffic.flows(2)
            deadly = practice(PONT, SEED + 300)
            messages = [
                deadly.wrap(deadly.claims.single_file(PONT)).replace(b"Message-ID: <", f"Message-ID: <{how}.".encode())
                for how in (DEADLY, ENDLESS)
            ]
            for rank, message in enumerate(messages, 1):
                world.send(deadly.address, message)
                until("it is held", lambda rank=rank: held(world) == ["ouverture-interrompue"] * rank)  # type: ignore[misc]
        finally:
            traffic.stop()
        world.settle()
        told = openings.read_text(encoding="ascii")
        assert [told.count(f"<{how}.") for how in (DEADLY, ENDLESS)] == [3, 3]
        assert traffic.refused == []
        replies = [world.send(deadly.address, message) for message in messages]
        arts = arts_of(world.outside, deadly.address)
        assert [arts.count(trace_of(reply.text)) for reply in replies] == [1, 1]
        everything_arrived_once(world.outside, traffic)


def held(world: World) -> list[str]:
    """Why what waits for a person waits."""
    with world.store.read() as conn:
        return [hold.code for hold in holds.list_open(conn)]
