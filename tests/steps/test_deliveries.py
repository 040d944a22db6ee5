"""Deliveries that are told together share a commit; each is on disk when its sender goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event

from oct.domain.journey import ConsignmentState
from oct.errors import StoreError
from oct.steps.work.deliveries import Deliveries, Delivery
from oct.store import consignments, events, leases
from oct.store.consignments import Consignment
from oct.store.engine import Store, open_store
from oct.store.events import Event
from oct.store.tables import consignments as consignments_table
from tests.adapters.store.arrivals import NOW, arrive, consign
from tests.journeys.waiting import until

SENDERS = 8


def leased(store: Store) -> list[int]:
    """One consignment for each sender, who is named by its place."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        ids = [consign(conn, message_id, n, recipient=f"{n}@exemple.test") for n in range(1, SENDERS + 1)]
        for place in range(SENDERS):
            consignments.claim(conn, str(place), NOW + 100, 60_000, 1)
    return ids


def delivery(consignment_id: int, owner: str) -> Delivery:
    told = Event(NOW, "remise", "remis", message_id=1, consignment_id=consignment_id)
    return Delivery(consignment_id, owner, f"250 {owner}", lambda _: [told])


def kept(store: Store, ids: list[int]) -> list[Consignment]:
    with store.read() as conn:
        return [one for row_id in ids if (one := consignments.by_id(conn, row_id)) is not None]


def test_what_is_told_while_a_commit_runs_shares_the_next(store: Store) -> None:
    """P2: each sender goes on only when its own delivery is on disk."""
    ids = leased(store)
    deliveries = Deliveries(store, lambda: NOW + 500)
    commits: list[object] = []

    def record(place: int) -> None:
        deliveries.record(delivery(ids[place], str(place)))
        assert kept(store, [ids[place]])[0].state == ConsignmentState.DELIVERED

    with ThreadPoolExecutor(SENDERS) as pool:
        with store.begin() as conn:
            leases.still_held(conn, consignments_table, dict.fromkeys(ids, "nobody"))  # locks the rows
            waiting = [pool.submit(record, place) for place in range(SENDERS)]
            until("all have told", lambda: len(deliveries._waiting) == SENDERS)
            event.listen(store.engine, "commit", lambda conn: commits.append(conn))
        for one in waiting:
            one.result()
    rows = kept(store, ids)
    assert [(one.state, one.reply, one.delivered_at) for one in rows] == [
        (ConsignmentState.DELIVERED, f"250 {place}", NOW + 500) for place in range(SENDERS)
    ]
    with store.read() as conn:
        assert len(events.of_message(conn, 1)) == SENDERS
    assert deliveries._waiting == []


def test_a_lost_lease_writes_nothing_and_takes_nobody_with_it(store: Store) -> None:
    ids = leased(store)
    deliveries = Deliveries(store, lambda: NOW + 500)
    deliveries._waiting.append(delivery(ids[1], "another"))
    deliveries.record(delivery(ids[0], "0"))
    assert [one.state for one in kept(store, ids[:2])] == [ConsignmentState.DELIVERED, ConsignmentState.WAITING]
    with store.read() as conn:
        assert [one.consignment_id for one in events.of_message(conn, 1)] == [ids[0]]


def test_who_cannot_write_says_so_and_leaves_the_others_to_try(tmp_path: Path) -> None:
    away = open_store(f"sqlite:///{tmp_path / 'nowhere' / 'oct.db'}")
    deliveries = Deliveries(away, lambda: NOW)
    other = delivery(2, "b")
    deliveries._waiting.append(other)
    with pytest.raises(StoreError):
        deliveries.record(delivery(1, "a"))
    assert deliveries._waiting == [other]
    away.close()
