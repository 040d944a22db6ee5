"""The second and third steps by themselves: one outcome a message, one commit a delivery, leases that hold (P2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from oct.bootstrap import connector
from oct.domain.journey import ConsignmentState, LotState, MessageState
from oct.settings import load
from oct.steps.process import process
from oct.steps.work import runner
from oct.steps.workshop import Workshop
from oct.store import consignments, lots, messages
from oct.store.consignments import Consignment
from oct.store.messages import Message
from tests.steps.bench import CLAIMS, Bench, send_all
from tests.steps.claims_bench import claims_bench

PONT = "pont@boite.example"
GOLDEN = (CLAIMS / "messages" / "01-single-file.eml").read_bytes()
LEASE = 60_000


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    with claims_bench(tmp_path, database_url) as made:
        yield made


def claimed(pieces: Bench, owner: str) -> list[Message]:
    workshop = pieces.workshop
    with workshop.store.begin() as conn:
        return messages.claim(conn, owner, workshop.clock(), LEASE, 10)


def written(pieces: Bench, message: Message) -> list[Consignment]:
    with pieces.workshop.store.read() as conn:
        return consignments.of_message(conn, message.id)


def state(pieces: Bench, message: Message) -> str:
    with pieces.workshop.store.read() as conn:
        found = messages.by_id(conn, message.id)
    assert found is not None
    return found.state


def test_a_message_comes_to_its_files_and_one_art(pieces: Bench) -> None:
    """T1, S2."""
    pieces.receive(GOLDEN, PONT)
    (message,) = claimed(pieces, "a")
    process(pieces.workshop, [message], "a")
    assert state(pieces, message) == MessageState.PROCESSED
    assert sorted(one.kind for one in written(pieces, message)) == ["art", *["facture"] * 4]


def test_the_art_names_the_number_that_the_message_names(pieces: Bench) -> None:
    """L8: an account may have several."""
    pieces.take((CLAIMS / "messages" / "34-group-practice.eml").read_bytes(), "parc@boite.example")
    (art, *_) = pieces.outside.of("parc@boite.example")
    assert f"PS : {art.subject.split('/')[1][-9:]}" in art.content.decode("latin-1")


def test_a_worker_that_lost_its_lease_writes_nothing(pieces: Bench) -> None:
    """P2: whoever claimed it later has the last word, and there is one ART."""
    pieces.receive(GOLDEN, PONT)
    (slow,) = claimed(pieces, "slow")
    with pieces.workshop.store.begin() as conn:
        messages.release_leases(conn, "slow")
    (quick,) = claimed(pieces, "quick")
    process(pieces.workshop, [slow], "slow")
    assert written(pieces, slow) == []
    process(pieces.workshop, [quick], "quick")
    process(pieces.workshop, [slow], "slow")
    assert [one.kind for one in written(pieces, quick)].count("art") == 1


def test_a_suspect_is_held_unopened_after_its_last_try(pieces: Bench) -> None:
    """H3: a batch whose process died counts once, then each opening alone; the fourth time it is not opened."""
    pieces.receive(GOLDEN, PONT)
    (message,) = claimed(pieces, "dead0")
    for rank in range(2):
        with pieces.workshop.store.begin() as conn:
            messages.release_leases(conn, "dead")
            (message,) = messages.claim(conn, f"dead{rank}", pieces.workshop.clock(), LEASE, 10)
            assert messages.begin_opening(conn, message.id, f"dead{rank}")
    with pieces.workshop.store.begin() as conn:
        messages.release_leases(conn, "dead")
    pieces.work()
    assert state(pieces, message) == MessageState.HELD
    assert [hold.code for hold in pieces.holds(message)] == ["ouverture-interrompue"]
    assert [letter.description for letter in pieces.outside.letters] == ["ART/ER"]


def test_each_delivery_is_settled_and_moves_its_lots(pieces: Bench) -> None:
    """R4, P2."""
    message = pieces.take(GOLDEN, PONT)
    sent = written(pieces, message)
    assert {one.state for one in sent} == {ConsignmentState.DELIVERED}
    with pieces.workshop.store.read() as conn:
        assert {lot.state for lot in lots.of_message(conn, message.id)} == {LotState.DELIVERED}
    assert sorted(letter.rcpt_to for letter in pieces.outside.letters) == sorted(one.recipient for one in sent)


def test_a_delivery_whose_lease_was_lost_is_repeated_byte_identical(pieces: Bench, tmp_path: Path) -> None:
    """P2: handed over, then the process died before its commit."""
    pieces.receive(GOLDEN, PONT)
    (message,) = claimed(pieces, "a")
    process(pieces.workshop, [message], "a")
    workshop = pieces.workshop
    with workshop.store.begin() as conn:
        taken = consignments.claim_any(conn, "dead", workshop.clock(), LEASE, 10)
        consignments.release_leases(conn, "dead")
        again = consignments.claim_any(conn, "alive", workshop.clock(), LEASE, 10)
    connect = connector(load(tmp_path / "oct.toml", {}).settings)
    asyncio.run(send_all(workshop, taken, "dead", connect))
    assert {one.state for one in written(pieces, message)} == {ConsignmentState.WAITING}
    asyncio.run(send_all(workshop, again, "alive", connect))
    assert {one.state for one in written(pieces, message)} == {ConsignmentState.DELIVERED}
    raws = [letter.raw for letter in pieces.outside.letters]
    assert sorted(raws[: len(taken)]) == sorted(raws[len(taken) :])


def test_h3_messages_that_are_large_together_are_opened_in_turn(pieces: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is bounded in bytes too; one message alone may be larger."""
    monkeypatch.setattr(runner, "_PORTION_BYTES", 2 * len(GOLDEN) + 10)
    opened: list[int] = []

    def counted(workshop: Workshop, claimed: Sequence[Message], owner: str) -> None:
        opened.append(len(claimed))
        process(workshop, claimed, owner)

    monkeypatch.setattr(runner, "process", counted)
    for rank in range(5):
        pieces.receive(GOLDEN.replace(b"2026112008000100001", b"20261120080001%05d" % rank), PONT)
    pieces.work()
    assert opened == [2, 2, 1]
