"""Killed twenty times at random moments (P2), its openers twice, and a stop that ends in time (P5)."""

from __future__ import annotations

from oct.simulators.envelopes import Judge
from tests.journeys.conftest import Launch
from tests.journeys.killing import kill_and_stop, kill_openers

KILLS = 20
SEED = 20_261_121
PAUSE_S = 0.1
STOPS, STOP_S = 3, 10.0
"""P5: what a stop may take; the quickest counts, for the machine may be busy with something else."""


def test_killed_twenty_times_under_traffic_nothing_is_lost(launch: Launch) -> None:
    """P1, P2, P5, T1, D4, H3."""
    with launch(judge=Judge.OPENSSL) as world:
        kill_openers(world, 2, SEED + 100, PAUSE_S)
        assert min(kill_and_stop(world, KILLS, SEED, PAUSE_S, STOPS)) < STOP_S
