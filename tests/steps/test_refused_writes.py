"""What the database refuses harms nobody else: the one message is held, its neighbours go on (H3, P1, T1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from oct.domain.journey import LotState, MessageState
from oct.steps.custody import settle
from oct.steps.release import release
from oct.store import messages
from oct.store.messages import Message
from oct.store.tables import consignments as consignments_table
from oct.store.tables import events as events_table
from oct.store.tables import holds as holds_table
from oct.store.tables import lots as lots_table
from oct.store.tables import messages as messages_table
from oct.store.tables import practitioner_numbers
from oct.store.tables import returns as returns_table
from tests.claims import Batch
from tests.steps.refusing import allow, refuse
from tests.steps.resending_rig import ADDRESS, Rig, file_of, mail, rig

COUNT, POISON = 5, 3
"""So many messages; the one that is refused, by its id and its rank."""
WRITTEN = (messages_table, consignments_table, lots_table, holds_table, events_table)


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    with rig(tmp_path, database_url) as made:
        yield made


def received(pieces: Rig) -> None:
    for rank in range(1, COUNT + 1):
        assert pieces.receive(mail(file_of([Batch(number=rank)])), ADDRESS).code == 250


def kept(pieces: Rig) -> list[Message]:
    with pieces.workshop.store.read() as conn:
        return [one for rank in range(1, COUNT + 1) if (one := messages.by_id(conn, rank)) is not None]


def counts(pieces: Rig) -> list[int]:
    with pieces.workshop.store.read() as conn:
        return [conn.execute(select(func.count()).select_from(table)).scalar_one() for table in WRITTEN]


def assert_the_poison_alone_is_held(pieces: Rig) -> Message:
    states = [one.state for one in kept(pieces)]
    poison = kept(pieces)[POISON - 1]
    assert states == [MessageState.HELD if rank == POISON else MessageState.PROCESSED for rank in range(1, COUNT + 1)]
    assert len(pieces.arrived()) == COUNT - 1
    assert [(hold.code, hold.subject) for hold in pieces.holds(poison)] == [("base-refus", "message")]
    assert (poison.code, poison.due_at) == ("base-refus", None)
    before = counts(pieces)
    pieces.work()
    assert counts(pieces) == before
    return poison


def test_h3_one_message_that_the_database_refuses_is_held_and_its_neighbours_go_on(pieces: Rig) -> None:
    """It has its ART, with its trace number (T1); the operator has a hold; nothing is tried for ever."""
    refuse(pieces.workshop.store, "lots", f"NEW.message_id = {POISON}")
    received(pieces)
    pieces.work()
    poison = assert_the_poison_alone_is_held(pieces)
    assert [event.outcome for event in pieces.events(poison, "traite")] == [MessageState.HELD]
    assert len(pieces.texts) == COUNT
    (told,) = [one for one in pieces.texts if poison.trace in one]
    assert "n'a pas pu être enregistré. L'opérateur est prévenu." in told
    assert not pieces.hands.runner._leavings.waiting


def test_h3_what_was_refused_leaves_once_it_is_released(pieces: Rig) -> None:
    """Nothing of it was lost, nothing was written twice."""
    store = pieces.workshop.store
    refuse(store, "lots", f"NEW.message_id = {POISON}")
    received(pieces)
    pieces.work()
    (poison,) = [one for one in kept(pieces) if one.state == MessageState.HELD]
    allow(store, "lots")
    release(pieces.workshop, pieces.holds(poison)[0].id, "moi")
    pieces.work()
    assert {one.state for one in kept(pieces)} == {MessageState.PROCESSED}
    assert pieces.states(poison) == [LotState.DELIVERED]
    assert len(set(pieces.arrived())) == len(pieces.arrived()) == COUNT


@pytest.mark.parametrize("refused", [("consignments",), ("consignments", "events")])
def test_h3_a_message_whose_art_is_refused_as_well_is_held_without(pieces: Rig, refused: Sequence[str]) -> None:
    """And without its event, if need be: the hold is what must not be missing. Its ART leaves when it is released."""
    store = pieces.workshop.store
    received(pieces)
    for table in refused:
        refuse(store, table, f"NEW.message_id = {POISON}")
    pieces.work()
    poison = assert_the_poison_alone_is_held(pieces)
    assert len(pieces.events(poison, "retenu")) == 2 - len(refused)
    for table in refused:
        allow(store, table)
    release(pieces.workshop, pieces.holds(poison)[0].id, "moi")
    pieces.work()
    assert len([one for one in pieces.texts if poison.trace in one]) == 1
    assert len(pieces.arrived()) == COUNT


def test_h3_a_message_that_cannot_even_be_held_is_left_to_its_lease(pieces: Rig) -> None:
    """Then it is a suspect, opened after and without the others."""
    store = pieces.workshop.store
    received(pieces)
    for table in ("consignments", "holds"):
        refuse(store, table, f"NEW.message_id = {POISON}")
    pieces.work()
    states = [one.state for one in kept(pieces)]
    assert [rank for rank, state in enumerate(states, 1) if state != MessageState.PROCESSED] == [POISON]
    assert len(pieces.arrived()) == COUNT - 1
    for table in ("consignments", "holds"):
        allow(store, table)
    pieces.work()
    assert kept(pieces)[POISON - 1].state == MessageState.RECEIVED
    pieces.clock.pass_hours(1)
    pieces.work()
    assert kept(pieces)[POISON - 1].state == MessageState.PROCESSED
    assert len(pieces.arrived()) == COUNT


def test_h3_a_return_that_the_database_refuses_is_held_and_the_next_one_arrives(pieces: Rig) -> None:
    """R1, R2."""
    first, second = Batch(number=1), Batch(number=2)
    pieces.submit(first, second)
    refuse(pieces.workshop.store, "returns", "NEW.message_id = 2")
    pieces.acknowledge(first)
    pieces.acknowledge(second)
    with pieces.workshop.store.read() as conn:
        poison, other = messages.by_id(conn, 2), messages.by_id(conn, 3)
        assert conn.execute(select(returns_table.c.message_id)).scalars().all() == [3]
    assert poison is not None
    assert other is not None
    assert (poison.state, poison.code, other.state) == (MessageState.HELD, "base-refus", MessageState.PROCESSED)
    assert [hold.code for hold in pieces.holds(poison)] == ["base-refus"]
    assert [event.outcome for event in pieces.events(poison, "retenu")] == ["base-refus"]
    assert len(pieces.arls) == 1
    allow(pieces.workshop.store, "returns")
    release(pieces.workshop, pieces.holds(poison)[0].id, "moi")
    pieces.work()
    assert len(pieces.arls) == 2


def test_a_refusal_of_the_moment_is_done_again_and_held_by_nobody(pieces: Rig) -> None:
    """Two processes that write the same number at once: one of them is refused, and sees it the second time."""
    assert pieces.receive(mail(file_of([Batch()])), ADDRESS).code == 250
    with pieces.workshop.store.begin() as conn:
        (message,) = messages.claim(conn, "a", pieces.clock(), 1000, 1)
    taken: list[str] = []

    def step() -> None:
        with pieces.workshop.store.begin() as conn:
            if not taken:
                taken.append("123456789")
                nobody = {"number": "123456789", "practitioner_id": 404}
                conn.execute(insert(practitioner_numbers), nobody)
            messages.finish(conn, message.id, "a", MessageState.PROCESSED, "", pieces.clock())

    settle(pieces.workshop, message, "a", step)
    with pieces.workshop.store.read() as conn:
        ended = messages.by_id(conn, message.id)
    assert ended is not None
    assert ended.state == MessageState.PROCESSED
    assert pieces.holds(message) == []
