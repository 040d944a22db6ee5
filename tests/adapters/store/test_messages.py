"""The first queue: what is accepted once is processed once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select, text

from oct.store import messages, payloads
from oct.store.engine import Store, open_store
from oct.store.messages import Insertion
from oct.store.tables import payloads as payload_table
from tests.adapters.store.arrivals import NOW, VAULT, arrive, new_message
from tests.journeys.waiting import until

LEASE = 60_000


def test_the_same_transaction_repeated_gives_the_first_trace_number(store: Store) -> None:
    """D4: and nothing of the second is kept, not even its payload."""
    with store.begin() as conn:
        first = messages.insert(conn, new_message(1), payloads.seal(VAULT, b"bytes"))
    again = new_message(1, trace="ZZZZZZ-00000000")
    with store.begin() as conn:
        second = messages.insert(conn, again, payloads.seal(VAULT, b"bytes"))
    assert first.is_new
    assert (second.id, second.trace, second.is_new) == (first.id, first.trace, False)
    with store.read() as conn:
        assert conn.execute(select(func.count()).select_from(payload_table)).scalar_one() == 1


def test_two_doors_that_take_the_same_transaction_at_once_keep_it_once(postgres_url: str) -> None:
    """D4: the second waits for the first, and what it had written of the bytes cannot be read."""
    stores = [open_store(postgres_url) for _ in range(2)]

    def waits() -> bool:
        with stores[0].read() as conn:
            held = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return bool(conn.execute(held).scalar())

    def take() -> Insertion:
        with stores[1].begin() as conn:
            return messages.insert(conn, new_message(1, trace="ZZZZZZ-00000000"), payloads.seal(VAULT, b"bytes"))

    with ThreadPoolExecutor(1) as pool:
        with stores[0].begin() as conn:
            first = messages.insert(conn, new_message(1), payloads.seal(VAULT, b"bytes"))
            other = pool.submit(take)
            until("the second waits", waits)
        second = other.result()
    with stores[0].read() as conn:
        readable = conn.execute(select(payload_table.c.id).where(payload_table.c.wrapped_key.is_not(None))).all()
    for store in stores:
        store.close()
    assert (second.id, second.trace, second.is_new) == (first.id, first.trace, False)
    assert len(readable) == 1


def test_a_batch_tells_the_new_from_the_known_in_its_own_order(store: Store) -> None:
    with store.begin() as conn:
        arrive(conn, 2)
    batch = [new_message(3), new_message(2, trace="ZZZZZZ-00000000"), new_message(1), new_message(3, trace="ZZZ")]
    with store.begin() as conn:
        answers = messages.insert_many(conn, [(one, payloads.seal(VAULT, b"bytes")) for one in batch])
        assert messages.insert_many(conn, []) == []
    assert [answer.is_new for answer in answers] == [True, False, True, False]
    assert [answer.trace[-1] for answer in answers] == ["3", "2", "1", "3"]


def test_due_messages_are_claimed_oldest_first_and_only_once(store: Store) -> None:
    with store.begin() as conn:
        ids = [arrive(conn, number) for number in (3, 1, 2)]
        arrive(conn, 4, due_at=NOW + LEASE)
    with store.begin() as conn:
        first = messages.claim(conn, "a", NOW + 10, LEASE, limit=2)
        second = messages.claim(conn, "b", NOW + 10, LEASE, limit=2)
        third = messages.claim(conn, "c", NOW + 10, LEASE, limit=2)
    assert [one.id for one in first] == [ids[1], ids[2]]
    assert [one.id for one in second] == [ids[0]]
    assert third == []
    assert first[0].attempts == 0


def test_messages_are_claimed_by_their_identifiers_when_they_are_due_and_free(store: Store) -> None:
    """A worker is told what waits by somebody who may be late, or wrong, or say it twice."""
    with store.begin() as conn:
        ids = [arrive(conn, number) for number in (3, 1, 2)]
        later = arrive(conn, 4, due_at=NOW + LEASE)
    with store.begin() as conn:
        assert messages.due_ids(conn, NOW + 10, limit=2) == [ids[1], ids[2]]
        first = messages.claim_these(conn, "a", NOW + 10, LEASE, [ids[0], ids[2], later, 999_999])
        assert [one.id for one in messages.claim_these(conn, "b", NOW + 10, LEASE, ids)] == [ids[1]]
        assert messages.claim_these(conn, "c", NOW + 10, LEASE, []) == []
        assert messages.due_ids(conn, NOW + 10, limit=9) == []
    assert [one.id for one in first] == [ids[2], ids[0]]


def test_a_worker_that_lost_its_lease_can_finish_nothing(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        messages.claim(conn, "slow", NOW + 10, LEASE, limit=1)
    later = NOW + 11 + LEASE
    with store.begin() as conn:
        assert [one.attempts for one in messages.claim(conn, "quick", later, LEASE, limit=1)] == [1]
        assert not messages.finish(conn, message_id, "slow", "traite", "", later)
        assert not messages.postpone(conn, message_id, "slow", later)
        assert messages.finish(conn, message_id, "quick", "traite", "ok", later)
        assert not messages.finish(conn, message_id, "quick", "traite", "ok", later)
        kept = messages.by_id(conn, message_id)
    assert kept is not None
    assert (kept.state, kept.code, kept.ended_at, kept.due_at) == ("traite", "ok", later, None)


def test_a_postponed_message_comes_back_when_it_is_due(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        messages.claim(conn, "a", NOW + 10, LEASE, limit=1)
        assert messages.postpone(conn, message_id, "a", NOW + 500)
        assert messages.claim(conn, "a", NOW + 499, LEASE, limit=1) == []
        assert [one.id for one in messages.claim(conn, "a", NOW + 500, LEASE, limit=1)] == [message_id]


def test_a_restart_gives_back_the_leases_of_the_process_that_died(store: Store) -> None:
    """The prefix is taken literally: `_` and `%` are no wildcards."""
    with store.begin() as conn:
        for number in (1, 2, 3):
            arrive(conn, number)
            messages.claim(conn, ("here_1:a", "here_1:b", "hereX1:c")[number - 1], NOW + 10, LEASE, limit=1)
        assert messages.release_leases(conn, "here_1:") == 2
        assert len(messages.claim(conn, "new", NOW + 10, LEASE, limit=9)) == 2


def test_only_a_message_that_was_left_open_is_a_suspect(store: Store) -> None:
    """H3: a first claim and a postponed one count nothing; a lease left behind counts once; then what is marked."""
    with store.begin() as conn:
        for number in (1, 2):
            arrive(conn, number)
        (given_back, left) = messages.claim(conn, "here:a", NOW + 10, LEASE, limit=2)
        messages.postpone(conn, given_back.id, "here:a", NOW + 11)
        messages.release_leases(conn, "here:")
    for attempts in (1, 2, 3):
        with store.begin() as conn:
            claimed = messages.claim(conn, "here:b", NOW + 20, LEASE, limit=2)
            assert {one.id: one.attempts for one in claimed} == {given_back.id: 0, left.id: attempts}
            messages.postpone(conn, given_back.id, "here:b", NOW + 20)
            assert messages.begin_opening(conn, left.id, "here:b")
            assert not messages.begin_opening(conn, left.id, "here:a")
            messages.release_leases(conn, "here:")


def test_an_ended_message_is_put_back_once(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        assert not messages.requeue(conn, message_id, "recu", NOW)
        messages.claim(conn, "a", NOW + 10, LEASE, limit=1)
        messages.finish(conn, message_id, "a", "retenu", "inconnu", NOW)
        assert messages.requeue(conn, message_id, "recu", NOW)
        assert not messages.requeue(conn, message_id, "recu", NOW)
        assert [one.attempts for one in messages.claim(conn, "a", NOW, LEASE, limit=1)] == [0]


def test_messages_are_counted_by_state_and_found_by_trace(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        arrive(conn, 2)
        arrive(conn, 3, state="refuse", due_at=None)
        assert messages.counts(conn, NOW + 2) == {"recu": 1, "refuse": 1}
        assert messages.oldest_due(conn) == NOW + 1
        found = messages.by_trace(conn, "AAAAAA-00000001")
        assert found is not None
        assert found.id == message_id
        assert messages.by_trace(conn, "AAAAAA-99999999") is None
