"""Many threads on one database: every row claimed once, no number twice, no message kept twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from oct.store import consignments, events, messages, payloads
from oct.store.engine import Store, open_store
from oct.store.events import Event
from oct.store.numbering import Numbering
from tests.adapters.store.arrivals import NOW, VAULT, arrive, consign, new_message

THREADS = 6
Answer = TypeVar("Answer")


def together(work: Callable[[int], Answer]) -> list[Answer]:
    """The answers of `work` in several threads that start at the same moment."""
    barrier = Barrier(THREADS)

    def start(number: int) -> Answer:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


def test_every_message_is_claimed_once_and_none_twice(store: Store) -> None:
    with store.begin() as conn:
        ids = [arrive(conn, number) for number in range(60)]

    def drain(worker: int) -> list[int]:
        mine: list[int] = []
        while True:
            with store.begin() as conn:
                claimed = messages.claim(conn, f"w{worker}", NOW + 1_000, 60_000, limit=4)
                done = [messages.finish(conn, one.id, f"w{worker}", "traite", "", NOW) for one in claimed[:3]]
                assert all(done)
            if not claimed:
                return mine
            mine += [one.id for one in claimed]

    assert sorted(one for mine in together(drain) for one in mine) == ids


def test_every_consignment_is_claimed_once_and_none_twice(store: Store) -> None:
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        ids = [consign(conn, message_id, n, recipient=f"{n % 9}@exemple.test") for n in range(54)]

    def drain(worker: int) -> list[int]:
        mine: list[int] = []
        for _ in range(200):
            with store.begin() as conn:
                claimed = consignments.claim(conn, f"w{worker}", NOW + 1_000, 60_000, limit=2)
                assert len({one.recipient for one in claimed}) <= 1
            with store.begin() as conn:
                for one in claimed:
                    assert consignments.mark_delivered(conn, one.id, f"w{worker}", "250", NOW)
            mine += [one.id for one in claimed]
        return mine

    assert sorted(one for mine in together(drain) for one in mine) == ids


def test_what_an_event_is_being_written_about_can_be_claimed(postgres_url: str) -> None:
    """A reference locks the key of its row; a claim that passed it by would leave it waiting for the next look."""
    store = open_store(postgres_url)
    with store.begin() as conn:
        message_id = arrive(conn, 1)
        consignment_id = consign(conn, message_id, 1)
    with store.begin() as writing:
        told = Event(at=NOW, kind="envoi", outcome="essai", message_id=message_id, consignment_id=consignment_id)
        events.append(writing, [told])
        with store.begin() as conn:
            assert [one.id for one in messages.claim(conn, "w1", NOW + 1_000, 60_000, limit=4)] == [message_id]
            assert [one.id for one in consignments.claim(conn, "w1", NOW + 1_000, 60_000, limit=2)] == [consignment_id]
    store.close()


def test_a_transaction_repeated_at_the_same_moment_is_kept_once(store: Store, database_url: str) -> None:
    """D4, through several processes' stores: all are told the one trace number that was kept."""
    stores = [store, open_store(database_url)]

    def insert(thread: int) -> list[messages.Insertion]:
        answers = []
        for number in range(10):
            new = new_message(number, trace=f"T{thread}-{number}")
            with stores[thread % 2].begin() as conn:
                answers.append(messages.insert(conn, new, payloads.seal(VAULT, b"bytes")))
        return answers

    for answers in zip(*together(insert), strict=True):
        assert len({(answer.id, answer.trace) for answer in answers}) == 1
        assert [answer.is_new for answer in answers].count(True) == 1
    stores[1].close()


def test_numbers_are_never_given_twice_between_threads_and_processes(store: Store, database_url: str) -> None:
    other = open_store(database_url)
    numberings = [Numbering(store, lambda: NOW), Numbering(other, lambda: NOW)]

    def draw(thread: int) -> list[str]:
        numbering = numberings[thread % 2]
        return [numbering.next_compostage(NOW) for _ in range(150)] + [numbering.next_file_id() for _ in range(150)]

    drawn = [number for mine in together(draw) for number in mine]
    assert len(set(drawn)) == len(drawn) == THREADS * 300
    other.close()
