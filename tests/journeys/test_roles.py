"""Each role its own process on one PostgreSQL, with a broker and without: what is accepted is delivered once."""

from __future__ import annotations

import poplib
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import trustme

from oct.simulators.sending import deliver
from oct.store import holds
from tests.adapters.pop.boxes import write_identity
from tests.databases import Postgres
from tests.journeys.deadly import ENDLESS
from tests.journeys.fleet import Fleet, fill
from tests.journeys.golden import OCT
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import BOURG, GARE, KINE, LABO, PONT, practice
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until
from tests.journeys.world import OCT_PROGRAM, free_port, operate
from tests.valkey import Broker

SEED = 20_261_200
PAUSE_S = 0.6
"""What is tried here are processes that come and go, not their speed."""
EVERYTHING = ("smtp-1", "smtp-2", "worker-1", "worker-2", "beat-1")
MakeFleet = Callable[..., Fleet]


@dataclass(frozen=True, slots=True)
class Filled:
    """What fleets start from: a directory with the keys, and the name of a database, both to be copied."""

    directory: Path
    database: str


@pytest.fixture(scope="module")
def filled(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    directory, name = tmp_path_factory.mktemp("filling"), f"oct_filled_{uuid4().hex}"
    fill(directory, postgres_server.create(name))
    yield Filled(directory, name)
    postgres_server.drop(name)


@pytest.fixture
def make_fleet(postgres_server: Postgres, filled: Filled, tmp_path: Path) -> Iterator[MakeFleet]:
    """Fleets on databases of their own, which end with the test."""
    with ExitStack() as stack:

        def made(**sections: str) -> Fleet:
            name = f"oct_{uuid4().hex}"
            directory = Path(shutil.copytree(filled.directory, tmp_path / name))
            stack.callback(postgres_server.drop, name)
            fleet = Fleet(directory, postgres_server.create(name, filled.database), **sections)
            stack.callback(fleet.close)
            return fleet

        yield made


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    server = Broker(free_port(), tmp_path)
    server.start()
    yield server
    server.kill()


def crowd(fleet: Fleet) -> list[Traffic]:
    """Two practitioners at each of two doors."""
    traffic = [
        Traffic(fleet.door("smtp-1"), (PONT, GARE), SEED, pause=PAUSE_S),
        Traffic(fleet.door("smtp-2"), (KINE, LABO), SEED + 100, pause=PAUSE_S),
    ]
    for one in traffic:
        one.start()
    return traffic


def flows(traffic: list[Traffic], more: int) -> None:
    """Waits until each door has taken so many more messages."""
    goals = [(one, len(one.accepted) + more) for one in traffic]
    until("traffic flows", lambda: all(len(one.accepted) >= goal for one, goal in goals))


def stopped(traffic: list[Traffic]) -> Traffic:
    """The end of the traffic, and all of it as one."""
    for one in traffic:
        one.stop()
    first, second = traffic
    return first.with_all_of(second)


def received(fleet: Fleet) -> dict[str, int]:
    """How many tasks each worker got from the broker since it was last started."""
    return {name: fleet.log(name).count("Task %(name)s[%(id)s] received") for name in ("worker-1", "worker-2")}


def judged(fleet: Fleet, traffic: Traffic) -> None:
    fleet.settle()
    assert traffic.refused == []
    everything_arrived_once(fleet.outside, traffic)


def test_two_doors_and_two_workers_share_a_database_without_a_broker(make_fleet: MakeFleet) -> None:
    """P1, P2: a worker and a door are killed; the worker of the same name takes its leases back at once."""
    fleet = make_fleet()
    fleet.start(*EVERYTHING)
    traffic = crowd(fleet)
    for victim in ("worker-1", "smtp-1"):
        flows(traffic, 4)
        fleet.kill(victim)
        fleet.launch(victim)
    flows(traffic, 4)
    judged(fleet, stopped(traffic))
    assert fleet.stop(*EVERYTHING) == [0] * len(EVERYTHING)


def test_with_a_broker_that_loses_all_nothing_is_lost(make_fleet: MakeFleet, broker: Broker) -> None:
    """P1, P2: the broker is killed, is away under traffic, and comes back empty; a worker is killed in between."""
    fleet = make_fleet(queue=f'url = "{broker.url}"')
    fleet.start(*EVERYTHING)
    traffic = crowd(fleet)
    until("both workers are rung", lambda: all(received(fleet).values()))
    broker.kill()
    flows(traffic, 4)
    fleet.kill("worker-1")
    fleet.launch("worker-1")
    flows(traffic, 4)
    before = received(fleet)
    broker.start()
    until("both workers are rung again", lambda: all(received(fleet)[name] > before[name] for name in before))
    judged(fleet, stopped(traffic))
    assert fleet.stop(*EVERYTHING) == [0] * len(EVERYTHING)


def test_the_hosted_mailboxes_have_a_role_of_their_own(make_fleet: MakeFleet, tmp_path: Path) -> None:
    """R5, P6: what a worker deposits is read there; one that is killed leaves no lock to the next of its name."""
    authority, port = trustme.CA(), free_port()
    _, chain, key = write_identity(authority, tmp_path)
    fleet = make_fleet(pop=f'listen = ["tls://127.0.0.1:{port}"]\ntls_certificate = "{chain}"\ntls_key = "{key}"')
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    told = operate(fleet.directory, "ps", "set", PONT.number, "--return", "boite")
    password = re.findall(r"[0-9a-z]{4}(?:-[0-9a-z]{4}){3}", told)[0]

    def opened() -> poplib.POP3_SSL:
        client = poplib.POP3_SSL("127.0.0.1", port, timeout=20, context=trusting)
        client.user(PONT.number)
        client.pass_(password)
        return client

    fleet.start("smtp-1", "worker-1", "pop-1")
    pont = practice(PONT, SEED)
    message = pont.wrap(pont.claims.file(PONT, [pont.claims.fse_lot(PONT, BOURG)]))
    assert deliver(fleet.door("smtp-1"), pont.address, OCT, message).code == 250
    fleet.settle()
    with closing(opened()) as reading:
        assert reading.stat()[0] == 1
        fleet.kill("pop-1")
    fleet.start("pop-1")
    with closing(opened()) as client:
        _, lines, _ = client.retr(1)
        assert b"Content-Description: ART/ER" in lines
        client.dele(1)
        client.quit()
    assert pont.address not in [arrival.rcpt_to for arrival in fleet.outside.arrivals]
    assert fleet.is_well("pop-1")
    assert fleet.stop("smtp-1", "worker-1", "pop-1") == [0, 0, 0]


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


def test_every_role_reloads_under_traffic_and_a_death_after_that_loses_nothing(
    make_fleet: MakeFleet, broker: Broker
) -> None:
    """P1, P2: programs of one process leave each other's leases alone, and the next process takes all of them back."""
    fleet = make_fleet(queue=f'url = "{broker.url}"')
    fleet.start(*EVERYTHING)
    traffic = crowd(fleet)
    flows(traffic, 2)
    fleet.reload(*EVERYTHING)
    flows(traffic, 2)
    fleet.kill("worker-1")
    fleet.launch("worker-1")
    flows(traffic, 2)
    ended = stopped(traffic)
    assert [one.tries for one in ended.accepted] == [1] * len(ended.accepted)
    judged(fleet, ended)
    assert fleet.stop(*EVERYTHING) == [0] * len(EVERYTHING)


def test_two_processes_never_bear_one_name_and_their_health_is_known(make_fleet: MakeFleet) -> None:
    """Each takes back the leases of its name, so the second one refuses to start; `oct health` knows who runs."""
    fleet = make_fleet()
    fleet.start("beat-1", "smtp-1", "web-1")
    assert "« beat-1 » tourne déjà sur cette base" in fleet.refusal("beat-1")
    well = {name: fleet.is_well(name) for name in ("beat-1", "beat-2", "smtp-1", "web-1")}
    assert well == {"beat-1": True, "beat-2": False, "smtp-1": True, "web-1": True}
    assert fleet.stop("beat-1", "smtp-1", "web-1") == [0, 0, 0]
    assert not fleet.is_well("web-1")


def test_a_role_asks_for_postgresql(tmp_path: Path) -> None:
    """On SQLite the one program does everything."""
    done = subprocess.run(
        [OCT_PROGRAM, "run", "--role", "smtp"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "demande PostgreSQL" in done.stderr) == (2, True)
