"""Production's faults with the real parts, the short form; `make soak` runs the long one."""

from __future__ import annotations

import signal
from pathlib import Path

from oct.simulators.sending import deliver
from tests.databases import Cluster
from tests.journeys.faults.storm import CUT_EVERY, Storm, repeats, stormy_fleet
from tests.journeys.fleet import Fleet
from tests.journeys.golden import OCT
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import GARE, KINE, LABO, PONT, practice
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until

SEED = 20_261_122
BLOW_S = 2.0
DRAINED_S = 120.0


def test_in_a_storm_nothing_is_lost(tmp_path: Path) -> None:
    """P1, P2, T1: kills every 2 s, a broker that loses all, is mute, dies, a database that stops as in a crash,
    insurers that refuse and cut; every 250 arrives, repeats are identical and few, exactly one ART each."""
    with stormy_fleet(tmp_path) as (fleet, broker, cluster):
        assert answer_without(cluster, fleet) == 451
        storm = Storm(fleet, broker, cluster, SEED, BLOW_S)
        traffic = Traffic(fleet.door("smtp-1"), (PONT, GARE, KINE, LABO), SEED, pause=1.2)
        with fleet.supervised():
            traffic.start()
            storm.start()
            until("every blow fell, and traffic flowed", lambda: storm.blows >= 4 and len(traffic.accepted) >= 20)
            storm.stop()
            traffic.stop()
            fleet.settle(DRAINED_S)
        assert traffic.refused == []
        everything_arrived_once(fleet.outside, traffic)
        assert repeats(fleet.outside) <= storm.interruptions + len(fleet.outside.arrivals) // CUT_EVERY


def answer_without(cluster: Cluster, fleet: Fleet) -> int:
    """What the door answers while the database is away."""
    cluster.stop(signal.SIGQUIT)
    who = practice(PONT, SEED + 1)
    reply = deliver(fleet.door("smtp-1"), who.address, OCT, who.wrap(who.claims.single_file(PONT)))
    cluster.start()
    return reply.code
