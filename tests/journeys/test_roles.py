"""Roles of a concentrator as processes on one PostgreSQL, without a broker: names, health, mailboxes, deaths.

`faults/test_storm.py` has a broker, `endurance` more processes.
"""

from __future__ import annotations

import os
import poplib
import re
import ssl
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from oct.simulators.sending import deliver
from tests.adapters.pop.boxes import write_identity
from tests.journeys.conftest import Launch, MakeFleet
from tests.journeys.crowd import crowd, judged, stopped
from tests.journeys.families import openers
from tests.journeys.fleet import Fleet
from tests.journeys.golden import OCT
from tests.journeys.practice import BOURG, PONT, practice
from tests.journeys.waiting import PATIENCE_S, until
from tests.journeys.world import commanded, free_port, operate

SEED = 20_261_200
ROLES = ("smtp-1", "worker-1", "worker-2", "pop-1", "web-1")


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """The door of the hosted mailboxes."""

    port: int
    trusting: ssl.SSLContext

    def opened(self, password: str) -> poplib.POP3_SSL:
        """PONT's session."""
        client = poplib.POP3_SSL("127.0.0.1", self.port, timeout=PATIENCE_S, context=self.trusting)
        client.user(PONT.number)
        client.pass_(password)
        return client


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def mailboxes(authority: trustme.CA) -> Mailboxes:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return Mailboxes(free_port(), trusting)


@pytest.fixture(scope="module")
def fleet(
    make_fleet: MakeFleet, mailboxes: Mailboxes, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Fleet:
    """All that runs here, one after the other test."""
    _, chain, key = write_identity(authority, tmp_path_factory.mktemp("boites"))
    listen = f'listen = ["tls://127.0.0.1:{mailboxes.port}"]'
    fleet = make_fleet(pop=f'{listen}\ntls_certificate = "{chain}"\ntls_key = "{key}"')
    fleet.start(*ROLES)
    return fleet


def test_two_processes_never_bear_one_name_and_their_health_is_known(fleet: Fleet) -> None:
    """Each takes back the leases of its name, so the second one refuses to start; `oct health` knows who runs."""
    assert "« worker-1 » tourne déjà sur cette base" in fleet.refusal("worker-1")
    assert [name for name in (*ROLES, "worker-3", "smtp-2") if fleet.is_well(name)] == [*ROLES]


def test_the_hosted_mailboxes_have_a_role_of_their_own(fleet: Fleet, mailboxes: Mailboxes) -> None:
    """R5, P6: what a worker deposits is read there; one that is killed leaves no lock to the next of its name."""
    told = operate(fleet.directory, "ps", "set", PONT.number, "--return", "boite")
    password = re.findall(r"[0-9a-z]{4}(?:-[0-9a-z]{4}){3}", told)[0]
    pont = practice(PONT, SEED)
    message = pont.wrap(pont.claims.file(PONT, [pont.claims.fse_lot(PONT, BOURG)]))
    assert deliver(fleet.door("smtp-1"), pont.address, OCT, message).code == 250
    fleet.settle()
    with closing(mailboxes.opened(password)) as reading:
        assert reading.stat()[0] == 1
        fleet.kill("pop-1")
    fleet.start("pop-1")
    with closing(mailboxes.opened(password)) as client:
        _, lines, _ = client.retr(1)
        assert b"Content-Description: ART/ER" in lines
        client.dele(1)
        client.quit()
    assert pont.address not in [arrival.rcpt_to for arrival in fleet.outside.arrivals]
    operate(fleet.directory, "ps", "set", PONT.number, "--return", "smtp")


def test_who_opens_gives_way_to_who_receives_and_sends(fleet: Fleet) -> None:
    """Two workers of two openers each; whatever else runs keeps its priority."""

    def priorities() -> Counter[int]:
        return Counter(os.getpriority(os.PRIO_PROCESS, pid) for pid in fleet.processes())

    until("all that open gave way", lambda: priorities()[os.nice(0) + 4] == 4)
    assert priorities()[os.nice(0)] >= len(ROLES)


def test_so_does_who_opens_beside_an_embedded_door(launch: Launch) -> None:
    with launch() as world:
        (opener,) = openers(world)
        until("it gave way", lambda: os.getpriority(os.PRIO_PROCESS, opener) == os.nice(0) + 4)
        assert os.getpriority(os.PRIO_PROCESS, world.process.pid) == os.nice(0)


def test_a_door_and_a_worker_that_are_killed_lose_nothing_without_a_broker(fleet: Fleet) -> None:
    """P1, P2: the worker of the same name takes its leases back at once, the other one goes on; then a clean stop."""
    before = len(fleet.outside.arrivals)
    traffic = crowd(fleet, SEED + 10, "smtp-1")
    for victim in ("worker-1", "smtp-1"):
        traffic[0].flows(4)
        fleet.kill(victim)
        fleet.launch(victim)
    traffic[0].flows(4)
    judged(fleet, stopped(traffic), before)
    assert fleet.stop(*ROLES) == [0] * len(ROLES)
    assert not fleet.is_well("web-1")


def test_a_role_asks_for_postgresql(tmp_path: Path) -> None:
    """On SQLite the one program does everything."""
    code, told = commanded(tmp_path, "run", "--role", "smtp")
    assert (code, "demande PostgreSQL" in told) == (2, True)
