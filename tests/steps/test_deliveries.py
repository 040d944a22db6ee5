"""Deliveries that are told together share a commit; each is on disk when its courier goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import event

from oct.domain.journey import ConsignmentState
from oct.steps.work import deliveries as module
from oct.steps.work.deliveries import Deliveries, Delivery
from oct.store import consignments, events
from oct.store.consignments import Consignment
from oct.store.engine import Store
from oct.store.events import Event
from tests.adapters.store.arrivals import NOW, arrive, consign
from tests.steps.refusing import unable_to_tell

COURIERS = 8


def leased(store: Store) -> list[int]:
    """One consignment for each courier, who is named by its place."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        ids = [consign(conn, message_id, n, recipient=f"{n}@exemple.test") for n in range(1, COURIERS + 1)]
        for place in range(COURIERS):
            consignments.claim(conn, str(place), NOW + 100, 60_000, 1)
    return ids


def delivery(consignment_id: int, owner: str) -> Delivery:
    told = Event(NOW, "remise", "remis", message_id=1, consignment_id=consignment_id)
    return Delivery(consignment_id, owner, f"250 {owner}", lambda _: [told])


def kept(store: Store, ids: list[int]) -> list[Consignment]:
    with store.read() as conn:
        return [one for row_id in ids if (one := consignments.by_id(conn, row_id)) is not None]


def recorded(store: Store, told: Sequence[Delivery], busy: int) -> list[BaseException | None]:
    """What came of each, told at once while so many couriers were at work. Each is on disk when its courier goes on."""
    deliveries = Deliveries(store, lambda: NOW + 500, lambda: busy)

    async def record(one: Delivery) -> None:
        await deliveries.record(one)
        if not one.owner.startswith("another"):
            assert kept(store, [one.consignment_id])[0].state == ConsignmentState.DELIVERED

    async def record_all() -> list[BaseException | None]:
        return await asyncio.gather(*(record(one) for one in told), return_exceptions=True)

    return asyncio.run(record_all())


@pytest.mark.parametrize("busy", [COURIERS, COURIERS + 1])
def test_what_all_who_are_at_work_tell_shares_a_commit(store: Store, busy: int) -> None:
    """P2; and when one of them has nothing to tell for now, the others do not wait for it."""
    ids = leased(store)
    commits: list[object] = []
    event.listen(store.engine, "commit", lambda conn: commits.append(conn))
    told = [delivery(row_id, str(place)) for place, row_id in enumerate(ids)]
    assert recorded(store, told, busy) == [None] * COURIERS
    assert len(commits) - COURIERS == 1  # and each looked at its own
    rows = kept(store, ids)
    assert [(one.state, one.reply, one.delivered_at) for one in rows] == [
        (ConsignmentState.DELIVERED, f"250 {place}", NOW + 500) for place in range(COURIERS)
    ]
    with store.read() as conn:
        assert len(events.of_message(conn, 1)) == COURIERS


def test_who_is_alone_at_work_waits_for_nobody(store: Store) -> None:
    ids = leased(store)
    assert recorded(store, [delivery(ids[0], "0")], 1) == [None]


def test_a_lost_lease_writes_nothing_and_takes_nobody_with_it(store: Store) -> None:
    ids = leased(store)
    assert recorded(store, [delivery(ids[1], "another"), delivery(ids[0], "0")], 2) == [None, None]
    assert [one.state for one in kept(store, ids[:2])] == [ConsignmentState.DELIVERED, ConsignmentState.WAITING]
    with store.read() as conn:
        assert [one.consignment_id for one in events.of_message(conn, 1)] == [ids[0]]


def test_all_who_share_a_commit_wait_until_the_database_is_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else knows what the other side has taken."""
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)
    ids = leased(store)
    deliveries = Deliveries(store, lambda: NOW + 500, lambda: COURIERS)

    async def record_all() -> None:
        with unable_to_tell(store):
            told = [asyncio.ensure_future(deliveries.record(delivery(ids[place], str(place)))) for place in range(3)]
            assert await asyncio.wait(told, timeout=0.05) == (set(), set(told))
        await asyncio.gather(*told)

    asyncio.run(record_all())
    assert [one.state for one in kept(store, ids)] == [ConsignmentState.DELIVERED] * 3 + [ConsignmentState.WAITING] * 5
