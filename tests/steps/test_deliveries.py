"""Deliveries that are told together share a commit; each is on disk when its courier goes on. What is on disk is the
database itself or, where it has one writer, a slip that is settled a moment later."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from oct.domain.journey import ConsignmentState
from oct.errors import StoreError
from oct.steps.work import deliveries as module
from oct.steps.work.deliveries import Deliveries
from oct.steps.work.leavings import Predecessor
from oct.steps.work.settlement import Delivery, Settlement
from oct.steps.workshop import Workshop
from oct.store import consignments, events, holds
from oct.store.consignments import Consignment
from oct.store.delivered import tell
from oct.store.engine import Store
from oct.store.slips import beside
from tests.adapters.store.arrivals import NOW, arrive, consign
from tests.steps.bench import bench
from tests.steps.refusing import refuse, unable_to_tell

COURIERS = 8
NAME = "essai/"
LATER = NOW + 500


@pytest.fixture
def workshop(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    with bench(tmp_path, database_url, certified=False) as pieces:
        yield replace(pieces.workshop, clock=lambda: LATER)


def leased(store: Store) -> list[Delivery]:
    """One delivery for each courier, who is named by its place."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        for n in range(1, COURIERS + 1):
            consign(conn, message_id, n, recipient=f"{n}@exemple.test")
        claimed = [consignments.claim(conn, f"{NAME}{place}", NOW + 100, 60_000, 1) for place in range(COURIERS)]
    return [Delivery(one, f"{NAME}{place}", LATER, f"250 {place}", tls=False) for place, (one,) in enumerate(claimed)]


def kept(store: Store, told: Sequence[Delivery]) -> list[Consignment]:
    with store.read() as conn:
        return sorted(consignments.by_ids(conn, [one.consignment.id for one in told]), key=lambda one: one.id)


def states(store: Store, told: Sequence[Delivery]) -> list[str]:
    return [one.state for one in kept(store, told)]


def outcomes(store: Store) -> list[tuple[int | None, str]]:
    with store.read() as conn:
        return [(one.consignment_id, one.outcome) for one in events.of_message(conn, 1)]


def recorded(
    workshop: Workshop, told: Sequence[Delivery], busy: int, settlement: Settlement
) -> list[BaseException | None]:
    """What came of each, told at once while so many couriers were at work. Each is on disk when its courier goes on."""
    store, slips = workshop.store, beside(workshop.store)
    deliveries = Deliveries(settlement.write, lambda: busy)

    async def record(one: Delivery) -> None:
        await deliveries.record(one)
        if one.owner.startswith(NAME):
            on_disk = slips is not None and one.slip in slips.read()
            assert on_disk or kept(store, [one])[0].state == ConsignmentState.DELIVERED

    async def record_all() -> list[BaseException | None]:
        return await asyncio.gather(*(record(one) for one in told), return_exceptions=True)

    try:
        return asyncio.run(record_all())
    finally:
        if slips is not None:
            slips.close()


@pytest.mark.parametrize("busy", [COURIERS, COURIERS + 1])
def test_what_all_who_are_at_work_tell_shares_a_commit(workshop: Workshop, busy: int) -> None:
    """P2; and when one of them has nothing to tell for now, the others do not wait for it."""
    told = leased(workshop.store)
    writes: list[int] = []

    class Counted(Settlement):
        def write(self, together: Sequence[Delivery]) -> None:
            writes.append(len(together))
            super().write(together)

    settlement = Counted(workshop)
    assert recorded(workshop, told, busy, settlement) == [None] * COURIERS
    settlement.settle()
    assert writes == [COURIERS]
    assert [(one.state, one.reply, one.delivered_at) for one in kept(workshop.store, told)] == [
        (ConsignmentState.DELIVERED, f"250 {place}", LATER) for place in range(COURIERS)
    ]
    assert outcomes(workshop.store) == [(one.consignment.id, "remis") for one in told]


def test_a_server_is_told_of_several_in_one_statement(workshop: Workshop) -> None:
    """Couriers wait for one answer; and when one lease was lost, nothing of the statement is kept."""
    store, told, statements = workshop.store, leased(workshop.store), list[str]()
    with store.at_once() as conn:
        delivered = [replace(one, owner="un autre").slip if one is told[3] else one.slip for one in told]
        assert not tell(conn, delivered, [row for one in told for row in one.traced(store)])
        conn.rollback()
    assert states(store, told) == [ConsignmentState.WAITING] * COURIERS
    assert outcomes(store) == []
    listened = (store.engine, "before_cursor_execute", lambda *heard: statements.append(heard[2]))
    event.listen(*listened)
    Settlement(workshop).write(told)
    event.remove(*listened)
    assert len(statements) == (1 if store.dialect == "postgresql" else 0)  # else they are on slips


def test_what_is_on_slips_is_settled_in_one_transaction(workshop: Workshop) -> None:
    told, commits = leased(workshop.store), list[object]()
    settlement = Settlement(workshop)
    event.listen(workshop.store.engine, "commit", lambda conn: commits.append(conn))
    for one in told:
        settlement.write([one])
    settlement.settle()
    settlement.settle()
    assert states(workshop.store, told) == [ConsignmentState.DELIVERED] * COURIERS
    assert len(commits) - 1 == (1 if beside(workshop.store) else COURIERS)  # and it was looked at once
    assert settlement.open == frozenset()


def test_who_is_alone_at_work_waits_for_nobody(workshop: Workshop) -> None:
    assert recorded(workshop, leased(workshop.store)[:1], 1, Settlement(workshop)) == [None]


def test_a_lost_lease_writes_nothing_and_takes_nobody_with_it(workshop: Workshop) -> None:
    told = leased(workshop.store)
    settlement = Settlement(workshop)
    assert recorded(workshop, [replace(told[1], owner="another"), told[0]], 2, settlement) == [None, None]
    settlement.settle()
    assert states(workshop.store, told[:2]) == [ConsignmentState.DELIVERED, ConsignmentState.WAITING]
    assert outcomes(workshop.store) == [(told[0].consignment.id, "remis")]


def test_what_the_database_refuses_is_held_and_takes_nobody_with_it(workshop: Workshop) -> None:
    """Where it is told at once, the courier is, who holds it (tests/steps/test_couriers.py)."""
    told = leased(workshop.store)[:3]
    refuse(workshop.store, "events", f"NEW.outcome = 'remis' AND NEW.consignment_id = {told[1].consignment.id}")
    settlement = Settlement(workshop)
    results = recorded(workshop, told, 3, settlement)
    settlement.settle()
    assert settlement.open == frozenset()
    first, refused, last = states(workshop.store, told)
    assert (first, last) == (ConsignmentState.DELIVERED, ConsignmentState.DELIVERED)
    if beside(workshop.store) is None:
        assert [one is None for one in results] == [True, False, True]
        return
    assert refused == ConsignmentState.FAILED
    with workshop.store.read() as conn:
        assert [hold.consignment_id for hold in holds.list_open(conn)] == [told[1].consignment.id]


@contextmanager
def nothing_can_be_written(store: Store) -> Iterator[None]:
    """Neither what is told of a try nor a slip."""
    with unable_to_tell(store):
        if beside(store) is None:
            yield
            return
        with closing(sqlite3.connect(slips_of(store))) as other:
            other.execute("CREATE TRIGGER none BEFORE INSERT ON slips BEGIN SELECT RAISE(ABORT, 'none'); END")
            yield
            other.execute("DROP TRIGGER none")


def slips_of(store: Store) -> Path:
    return Path(store.engine.url.database or "").with_suffix(".slips")


def test_all_who_share_a_commit_wait_until_something_can_be_written(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else knows what the other side has taken."""
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)
    told = leased(workshop.store)
    settlement = Settlement(workshop)
    settlement.write(told[3:4])
    deliveries = Deliveries(settlement.write, lambda: COURIERS)

    async def record_all() -> None:
        with nothing_can_be_written(workshop.store):
            waiting = [asyncio.ensure_future(deliveries.record(one)) for one in told[:3]]
            assert await asyncio.wait(waiting, timeout=0.05) == (set(), set(waiting))
        await asyncio.gather(*waiting)

    asyncio.run(record_all())
    settlement.settle()
    assert states(workshop.store, told) == [ConsignmentState.DELIVERED] * 4 + [ConsignmentState.WAITING] * 4


def test_what_cannot_be_settled_stays_until_it_can(workshop: Workshop) -> None:
    """It stays leased meanwhile, so nobody sends it again."""
    told = leased(workshop.store)
    settlement = Settlement(workshop)
    if beside(workshop.store) is None:
        with unable_to_tell(workshop.store), pytest.raises(StoreError):
            settlement.write(told)
        return
    settlement.write(told)
    with unable_to_tell(workshop.store), pytest.raises(StoreError):
        settlement.settle()
    assert settlement.open == {one.consignment.id for one in told}
    with workshop.store.begin() as conn:
        assert consignments.claim_any(conn, "another", LATER, 60_000, 99) == []
    settlement.settle()
    assert states(workshop.store, told) == [ConsignmentState.DELIVERED] * COURIERS


def test_what_a_process_that_died_had_delivered_its_successor_settles(workshop: Workshop) -> None:
    """P2: what is on a slip does not leave again. Run twice is run once."""
    told = leased(workshop.store)
    Settlement(workshop).write(told[:3])
    for _ in range(2):
        Predecessor(workshop, "essai").start()
        assert states(workshop.store, told) == [ConsignmentState.DELIVERED] * 3 + [ConsignmentState.WAITING] * 5
        assert [one.delivered_at for one in kept(workshop.store, told)][:3] == [LATER] * 3
        assert outcomes(workshop.store) == [(one.consignment.id, "remis") for one in told[:3]]
    with workshop.store.begin() as conn:
        assert len(consignments.claim_any(conn, "another", LATER, 60_000, 99)) == COURIERS - 3


def test_what_was_settled_before_its_slip_was_taken_away_is_settled_once(workshop: Workshop) -> None:
    """A process that dies in between; meanwhile a person has it sent once more."""
    told = leased(workshop.store)
    settlement = Settlement(workshop)
    settlement.write(told[:2])
    settlement.settle()
    with workshop.store.begin() as conn:
        consignments.requeue(conn, told[1].consignment.id, LATER)
    Predecessor(workshop, "essai").start()
    assert states(workshop.store, told)[:2] == [ConsignmentState.DELIVERED, ConsignmentState.WAITING]
    assert outcomes(workshop.store) == [(one.consignment.id, "remis") for one in told[:2]]
    slips = beside(workshop.store)
    assert slips is None or slips.read() == []


def test_a_successor_leaves_the_slips_of_others_alone(workshop: Workshop) -> None:
    """A reload: the program before it settles its own."""
    told = leased(workshop.store)
    settlement = Settlement(workshop)
    settlement.write(told[:1])
    Predecessor(workshop, "essai/r2").start()
    Predecessor(workshop, "ess").start()
    settlement.settle()
    assert states(workshop.store, told)[:2] == [ConsignmentState.DELIVERED, ConsignmentState.WAITING]
    assert outcomes(workshop.store) == [(told[0].consignment.id, "remis")]
