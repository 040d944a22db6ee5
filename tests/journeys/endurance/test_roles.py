"""Each role its own process on one PostgreSQL, with a broker and without: what is accepted is delivered once."""

from __future__ import annotations

import sys
from pathlib import Path

from oct.simulators.sending import deliver
from oct.store import holds
from tests.journeys.conftest import MakeFleet
from tests.journeys.crowd import PAUSE_S, crowd, flows, judged, rung, stopped
from tests.journeys.deadly import ENDLESS
from tests.journeys.fleet import Fleet
from tests.journeys.golden import OCT
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import KINE, PONT, practice
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until
from tests.valkey import Broker

SEED = 20_261_220
WORKERS = ("worker-1", "worker-2")
EVERYTHING = ("smtp-1", "smtp-2", *WORKERS, "beat-1")


def test_two_doors_and_two_workers_share_a_database_without_a_broker(make_fleet: MakeFleet) -> None:
    """P1, P2: a worker and a door are killed; the worker of the same name takes its leases back at once."""
    fleet = make_fleet()
    fleet.start(*EVERYTHING)
    traffic = crowd(fleet, SEED, "smtp-1", "smtp-2")
    for victim in ("worker-1", "smtp-1"):
        flows(traffic, 4)
        fleet.kill(victim)
        fleet.launch(victim)
    flows(traffic, 4)
    judged(fleet, stopped(traffic))
    assert fleet.stop(*EVERYTHING) == [0] * len(EVERYTHING)


def test_with_a_broker_that_loses_all_and_reloads_of_every_role_nothing_is_lost(
    make_fleet: MakeFleet, broker: Broker
) -> None:
    """P1, P2: the broker is killed, is away under traffic, and comes back empty; a worker is killed in between. Then
    all reload: nobody who is connected notices, and the next process takes back what two programs of one had."""
    fleet = make_fleet(queue=f'url = "{broker.url}"')
    fleet.start(*EVERYTHING)
    traffic = crowd(fleet, SEED + 1000, "smtp-1", "smtp-2")
    until("both workers are rung", lambda: all(rung(fleet, *WORKERS).values()))
    broker.kill()
    flows(traffic, 4)
    fleet.kill("worker-1")
    fleet.start("worker-1")
    flows(traffic, 4)
    before = rung(fleet, *WORKERS)
    broker.start()
    until("both are rung again", lambda: all(count > before[name] for name, count in rung(fleet, *WORKERS).items()))
    fleet.reload(*EVERYTHING)
    flows(traffic, 2)
    fleet.kill("worker-1")
    fleet.launch("worker-1")
    flows(traffic, 2)
    ended = stopped(traffic)
    assert [one.tries for one in ended.accepted] == [1] * len(ended.accepted)
    judged(fleet, ended)
    assert fleet.stop(*EVERYTHING) == [0] * len(EVERYTHING)


def test_a_message_whose_opening_never_ends_is_held_and_the_workers_go_on(
    make_fleet: MakeFleet, broker: Broker, tmp_path: Path
) -> None:
    """H3: what has it open is ended, the pool's process by its time limit, the one that opens suspects by its alarm."""
    fleet = make_fleet(queue=f'url = "{broker.url}"\ntime_limit = "3s"', worker='sweep = "5s"')
    openings = tmp_path / "openings"
    fleet.program = (sys.executable, "-m", "tests.journeys.deadly", openings)
    fleet.start("smtp-1", "worker-1", "beat-1")
    pont = practice(PONT, SEED + 300)
    message = pont.wrap(pont.claims.single_file(PONT)).replace(b"Message-ID: <", f"Message-ID: <{ENDLESS}.".encode())
    assert deliver(fleet.door("smtp-1"), pont.address, OCT, message).code == 250
    until("it is open", openings.exists)
    traffic = Traffic(fleet.door("smtp-1"), (KINE,), SEED + 310, pause=4 * PAUSE_S)
    traffic.start()
    until("it is held", lambda: held(fleet) == ["ouverture-interrompue"])
    traffic.stop()
    fleet.settle()
    assert openings.read_text(encoding="ascii").count(f"<{ENDLESS}.") == 3
    everything_arrived_once(fleet.outside, traffic)
    log = fleet.log("worker-1")
    assert log.count("Hard time limit") + log.count('"code": -14, "event": "ouvreur-interrompu"') >= 3
    assert fleet.stop("smtp-1", "worker-1", "beat-1") == [0, 0, 0]


def held(fleet: Fleet) -> list[str]:
    """Why what waits for a person waits."""
    with fleet.store.read() as conn:
        return [hold.code for hold in holds.list_open(conn)]
