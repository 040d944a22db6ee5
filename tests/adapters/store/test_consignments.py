"""The second queue: by recipient, over one connection, the same bytes at every try."""

from __future__ import annotations

from oct.domain.journey import ConsignmentState
from oct.store import consignments, payloads
from oct.store.consignments import Backlog
from oct.store.engine import Store
from tests.adapters.store.arrivals import NOW, VAULT, arrive, consign, new_consignment

LEASE = 60_000


def test_many_consignments_get_their_ids_in_order(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        payload_ids = payloads.put_many(conn, VAULT, [b"a", b"b", b"c"], NOW)
        new = [new_consignment(message_id, payload_id, n) for n, payload_id in enumerate(payload_ids)]
        ids = consignments.insert_many(conn, new)
        assert consignments.insert_many(conn, []) == []
        kept = consignments.of_message(conn, message_id)
    assert [one.id for one in kept] == ids
    assert [one.payload_id for one in kept] == payload_ids
    assert {one.state for one in kept} == {ConsignmentState.WAITING}


def test_a_batch_is_for_the_recipient_that_waited_longest(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        consign(conn, message_id, 2, recipient="b@exemple.test")
        oldest = consign(conn, message_id, 1, recipient="a@exemple.test")
        next_one = consign(conn, message_id, 3, recipient="a@exemple.test")
        consign(conn, message_id, 4, recipient="a@exemple.test")
        batch = consignments.claim(conn, "w", NOW + 10, LEASE, limit=2)
    assert [one.id for one in batch] == [oldest, next_one]


def test_a_recipient_that_is_being_served_is_left_to_its_worker(store: Store) -> None:
    """P4: a slow insurer keeps one worker; when that one dies, its recipient is free again with the lease."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        for number in (1, 2, 3):
            consign(conn, message_id, number, recipient="slow@exemple.test")
        other = consign(conn, message_id, 4, recipient="quick@exemple.test")
        assert len(consignments.claim(conn, "w1", NOW + 10, LEASE, limit=1)) == 1
        assert [one.id for one in consignments.claim(conn, "w2", NOW + 10, LEASE, limit=9)] == [other]
        assert consignments.claim(conn, "w3", NOW + 10, LEASE, limit=9) == []
        assert len(consignments.claim(conn, "w3", NOW + 11 + LEASE, LEASE, limit=9)) == 3


def test_a_relay_takes_every_recipient_at_once(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        ids = [consign(conn, message_id, n, recipient=f"{n}@exemple.test") for n in (1, 2, 3)]
        assert [one.id for one in consignments.claim_any(conn, "w", NOW + 10, LEASE, limit=2)] == ids[:2]
        assert [one.id for one in consignments.claim_any(conn, "x", NOW + 10, LEASE, limit=2)] == ids[2:]


def test_each_outcome_is_written_by_the_holder_of_the_lease_alone(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        delivered, later, failed = (consign(conn, message_id, n) for n in (1, 2, 3))
        consignments.claim(conn, "w", NOW + 10, LEASE, limit=9)
        assert not consignments.mark_delivered(conn, delivered, "other", "250 ok", NOW + 20)
        assert not consignments.mark_retry(conn, later, "other", NOW + 900, "450 later")
        assert not consignments.mark_failed(conn, failed, "other", "550 no")
        assert consignments.mark_delivered(conn, delivered, "w", "250 " + "x" * 400, NOW + 20)
        assert consignments.mark_retry(conn, later, "w", NOW + 900, "450 later")
        assert consignments.mark_failed(conn, failed, "w", "550 no")
        kept = {one.id: one for one in consignments.of_message(conn, message_id)}
    assert (kept[delivered].state, kept[delivered].delivered_at) == (ConsignmentState.DELIVERED, NOW + 20)
    assert len(kept[delivered].reply) == 250
    assert (kept[later].state, kept[later].due_at, kept[later].reply) == (
        ConsignmentState.WAITING,
        NOW + 900,
        "450 later",
    )
    assert (kept[failed].state, kept[failed].due_at) == (ConsignmentState.FAILED, None)


def test_what_failed_can_be_sent_again_with_fresh_tries(store: Store) -> None:
    with store.begin() as conn:
        consignment_id = consign(conn, arrive(conn, 1), 1)
        assert not consignments.requeue(conn, consignment_id, NOW)
        consignments.claim(conn, "w", NOW + 10, LEASE, limit=1)
        consignments.mark_failed(conn, consignment_id, "w", "550 no")
        assert consignments.requeue(conn, consignment_id, NOW + 50)
        kept = consignments.by_id(conn, consignment_id)
        assert kept is not None
        assert (kept.state, kept.attempts, kept.due_at) == (ConsignmentState.WAITING, 0, NOW + 50)
        assert consignments.by_id(conn, 404) is None


def test_the_backlog_tells_who_waits_since_when(store: Store) -> None:
    """K1: queue age, per recipient; what is delivered waits no more."""
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        consign(conn, message_id, 5, recipient="b@exemple.test")
        consign(conn, message_id, 2, recipient="a@exemple.test", due_at=NOW + 700)
        consign(conn, message_id, 3, recipient="a@exemple.test", due_at=NOW + 600)
        assert consignments.backlog(conn) == [
            Backlog("a@exemple.test", 2, NOW + 2, NOW + 600),
            Backlog("b@exemple.test", 1, NOW + 5, NOW + 5),
        ]
        consignments.claim(conn, "here:1", NOW + 10, LEASE, limit=1)
        assert consignments.release_leases(conn, "here:") == 1
