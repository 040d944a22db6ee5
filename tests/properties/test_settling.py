"""What was delivered is told once, and leaves again only after a kill that came before it was on disk (P2): whatever
claims, tells, settles, dies, reloads or is asked for again, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from oct.domain.journey import ConsignmentState
from oct.steps.work.leavings import Predecessor
from oct.steps.work.settlement import Delivery, Settlement
from oct.steps.workshop import Workshop
from oct.store import consignments, events
from oct.store.consignments import Consignment
from oct.store.leases import LeaseLostError
from oct.store.slips import beside
from oct.store.tables import consignments as table
from tests.adapters.store.arrivals import NOW, arrive, consign
from tests.steps.bench import bench

SENDINGS = 6
LEASE = 1_000
MARGIN = 100
NUMBERS = count(1)
DEEDS = st.sampled_from(["claim", *["deliver"] * 3, "tell", "settle", "wait", "again", "kill", "reload", "stop"])


class Program:
    """Couriers of one program, without their connections."""

    def __init__(self, workshop: Workshop, name: str) -> None:
        Predecessor(workshop, name).start()
        self.workshop = workshop
        self.name = name
        self.settlement = Settlement(workshop)
        self.in_hand: list[tuple[Consignment, str, int]] = []
        self.untold: list[Delivery] = []
        self.claims = count()

    def claim(self) -> None:
        self.tell()
        now, owner = self.workshop.clock(), f"{self.name}/{next(self.claims)}"
        self.settlement.take_up(now)
        with self.workshop.store.begin() as conn:
            claimed = consignments.claim_any(conn, owner, now, LEASE, 4)
        self.in_hand += [(one, owner, now + LEASE - MARGIN) for one in claimed]

    def tell(self) -> None:
        for one in self.untold:
            try:
                self.settlement.write([one])
            except LeaseLostError:
                pytest.fail("somebody else took what was in hand")
        self.untold.clear()

    def stop(self) -> None:
        self.tell()
        self.settlement.settle()
        self.settlement.close()

    def die(self) -> None:
        if self.settlement._slips is not None:
            self.settlement._slips.close()


class World:
    """Sendings, the programs that send them, one after the other, and the other side."""

    def __init__(self, workshop: Workshop) -> None:
        self.now = NOW + LEASE
        self.workshop = replace(workshop, clock=lambda: self.now)
        with workshop.store.begin() as conn:
            conn.execute(delete(table).where(table.c.state == ConsignmentState.WAITING))
            self.message_id = arrive(conn, next(NUMBERS))
            ids = [consign(conn, self.message_id, n, recipient=f"{n}@exemple.test") for n in range(1, SENDINGS + 1)]
        self.asked = Counter(ids)
        self.arrived = Counter[int]()
        self.excused = Counter[int]()
        """Arrivals of which a kill left nothing on disk."""
        self.program = Program(self.workshop, "essai")

    def do(self, deed: str, which: int) -> None:
        program = self.program
        match deed:
            case "claim":
                program.claim()
            case "deliver":
                self.deliver(which)
            case "tell":
                program.tell()
            case "settle":
                program.settlement.settle()
            case "wait":
                program.tell()
                self.now += (1, MARGIN, LEASE // 2, 2 * LEASE)[which % 4]
            case "again":
                self.ask_again(which)
            case "kill":
                self.excused += Counter(one.consignment.id for one in program.untold)
                program.die()
                self.program = Program(self.workshop, "essai")
            case "reload":
                self.program = Program(self.workshop, f"essai/r{which}")
                program.stop()
            case _:
                program.stop()
                self.program = Program(self.workshop, "essai")

    def deliver(self, which: int) -> None:
        if not self.program.in_hand:
            self.program.claim()
        due = [one for one in self.program.in_hand if one[2] > self.now]
        if due:
            chosen = due[which % len(due)]
            self.program.in_hand = [one for one in due if one is not chosen]
            consignment, owner, _ = chosen
            self.arrived[consignment.id] += 1
            assert self.arrived[consignment.id] <= self.asked[consignment.id] + self.excused[consignment.id]
            self.program.untold.append(Delivery(consignment, owner, self.now, "250", tls=False))

    def ask_again(self, which: int) -> None:
        chosen = sorted(self.asked)[which % SENDINGS]
        with self.workshop.store.begin() as conn:
            self.asked[chosen] += consignments.requeue(conn, chosen, self.now)

    def end(self) -> None:
        """Until nothing is left to do."""
        for _ in range(2 + sum(self.asked.values())):
            self.now += 2 * LEASE
            self.program.claim()
            for _ in range(len(self.program.in_hand)):
                self.deliver(0)
        self.program.stop()


@pytest.fixture
def workshop(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    with bench(tmp_path, database_url, certified=False) as pieces:
        yield pieces.workshop


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(st.tuples(DEEDS, st.integers(0, 11)), min_size=20, max_size=50))
def test_each_sending_arrives_and_is_told_as_often_as_it_was_asked_for(
    workshop: Workshop, deeds: list[tuple[str, int]]
) -> None:
    world = World(workshop)
    for deed, which in deeds:
        world.do(deed, which)
    world.end()
    with workshop.store.read() as conn:
        kept = consignments.by_ids(conn, list(world.asked))
        told = Counter(one.consignment_id for one in events.of_message(conn, world.message_id))
    assert {one.state for one in kept} == {ConsignmentState.DELIVERED}
    assert told == world.asked
    assert world.asked <= world.arrived <= world.asked + world.excused
    slips = beside(workshop.store)
    assert slips is None or slips.read() == []
