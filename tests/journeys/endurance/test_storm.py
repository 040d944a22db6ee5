"""Production's faults all at once and at random, for a while; `make soak` has them for hours (P2)."""

from __future__ import annotations

from pathlib import Path

from oct.simulators.envelopes import Judge
from tests.journeys.faults.storm import CUT_EVERY, Storm, repeats, stormy_fleet
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import GARE, KINE, LABO, PONT
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until

SEED = 20_261_122
BLOW_S = 2.0
PATIENCE_S = 240.0


def test_in_a_storm_nothing_is_lost(tmp_path: Path) -> None:
    """P1, P2, T1: kills every 2 s, a broker that loses all, is mute, dies, a database that stops as in a crash,
    insurers that refuse and cut; every 250 arrives, repeats are identical and few, exactly one ART each."""
    with stormy_fleet(tmp_path, Judge.OPENSSL) as (fleet, broker, cluster):
        storm = Storm(fleet, broker, cluster, SEED, BLOW_S)
        traffic = Traffic(fleet.door("smtp-1"), (PONT, GARE, KINE, LABO), SEED, pause=1.2)
        with fleet.supervised():
            traffic.start()
            storm.start()
            until("every blow fell", lambda: storm.blows >= 4 and len(traffic.accepted) >= 20, PATIENCE_S)
            storm.stop()
            traffic.stop()
            fleet.settle(PATIENCE_S)
        assert traffic.refused == []
        everything_arrived_once(fleet.outside, traffic)
        assert repeats(fleet.outside) <= storm.interruptions + len(fleet.outside.arrivals) // CUT_EVERY
