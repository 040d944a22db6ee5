"""Production's faults with the real parts, one after the other: the short form of the storm.

`endurance` has them at random and all at once, `make soak` for hours.
"""

from __future__ import annotations

import signal
from pathlib import Path

from oct.simulators.sending import deliver
from tests.databases import Cluster
from tests.journeys.crowd import crowd, judged, rung, stopped
from tests.journeys.faults.storm import misbehave, stormy_fleet
from tests.journeys.fleet import Fleet
from tests.journeys.golden import OCT
from tests.journeys.practice import PONT, practice
from tests.journeys.waiting import until

SEED = 20_261_122
ROLES = ("smtp-1", "worker-1", "beat-1")


def test_whatever_of_production_dies_nothing_is_lost(tmp_path: Path) -> None:
    """P1, P2, T1: a broker that is mute, is killed and comes back empty, reloads that nobody notices, a worker after
    that and a door that are killed, a database that stops as in a crash, insurers that refuse and cut: every 250
    arrives, repeats are identical, exactly one ART each."""
    with stormy_fleet(tmp_path, roles=ROLES) as (fleet, broker, cluster):
        misbehave(fleet.outside)
        (traffic,) = crowd(fleet, SEED, "smtp-1")
        until("the worker is rung", lambda: rung(fleet, "worker-1")["worker-1"] > 0)
        broker.freeze()
        traffic.flows(2)
        broker.kill()
        traffic.flows(2)
        before = rung(fleet, "worker-1")["worker-1"]
        broker.start()
        until("the worker is rung again", lambda: rung(fleet, "worker-1")["worker-1"] > before)
        fleet.reload(*ROLES)
        traffic.flows(2)
        assert [one.tries for one in traffic.accepted] == [1] * len(traffic.accepted)
        for victim in ("worker-1", "smtp-1"):
            fleet.kill(victim)
            fleet.start(victim)
            traffic.flows(2)
        with fleet.supervised():
            assert answer_without(cluster, fleet) == 451
            traffic.flows(2)
            ended = stopped([traffic])
            fleet.outside.temper.behave()
            judged(fleet, ended)


def answer_without(cluster: Cluster, fleet: Fleet) -> int:
    """What the door answers while the database is away."""
    cluster.stop(signal.SIGQUIT)
    who = practice(PONT, SEED + 1)
    reply = deliver(fleet.door("smtp-1"), who.address, OCT, who.wrap(who.claims.single_file(PONT)))
    cluster.start()
    return reply.code
