"""Silence (D1): told once at 48 h and once at 96 h, to the practitioner and the operator, cleared by the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.domain.journey import LotState
from oct.store import lots
from oct.store.overview import overview
from tests.claims import Batch, Claim, enriched
from tests.steps.refusing import allow, refuse
from tests.steps.resending_rig import HOUR, Rig, rig

ONE = Batch((Claim(1),), 1)
TWO = Batch((Claim(2),), 2)
FAR = Batch((Claim(4, ("01", "011", "0000")),), 3, organism="011")
SPLIT = Batch((enriched(8),), 8)


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    with rig(tmp_path, database_url) as made:
        yield made


def test_silence_is_told_once_at_each_delay(pieces: Rig) -> None:
    """D1: one text for all the silent lots of a message."""
    message = pieces.submit(ONE, TWO, FAR)
    pieces.clock.now += 48 * HOUR - 1
    assert (pieces.watch(), len(pieces.texts)) == (0, 1)
    pieces.clock.now += 1
    assert pieces.watch() == 1
    assert pieces.states(message) == [LotState.UNANSWERED] * 3
    (text,) = pieces.texts[1:]
    assert "Sans réponse depuis 48 h :" in text
    assert f"Numéro de suivi : {message.trace}" in text
    assert "lot 001 remis à SAINT ETIENNE le" in text
    assert "lot 003 remis à BOURG EN BRESSE le" in text
    assert (pieces.watch(), len(pieces.texts)) == (0, 2)
    pieces.clock.now += 48 * HOUR - 1
    assert pieces.watch() == 0
    pieces.clock.now += 1
    assert (pieces.watch(), pieces.watch()) == (1, 0)
    assert pieces.states(message) == [LotState.MANUAL] * 3
    assert len(pieces.texts) == 3
    assert "Traitement manuel : toujours sans réponse depuis 96 h :" in pieces.texts[2]
    assert [event.outcome for event in pieces.events(message, "silence")] == ["sans-reponse", "manuel"]
    with pieces.workshop.store.read() as conn:
        assert overview(conn, pieces.clock()).lots == {LotState.MANUAL: 3}


def test_a_message_that_the_database_refuses_to_tell_keeps_no_other_waiting(pieces: Rig) -> None:
    poison, other = pieces.submit(ONE), pieces.submit(TWO)
    pieces.clock.pass_hours(48)
    refuse(pieces.workshop.store, "consignments", f"NEW.message_id = {poison.id}")
    assert pieces.watch() == 1
    assert (pieces.states(poison), pieces.states(other)) == ([LotState.DELIVERED], [LotState.UNANSWERED])
    allow(pieces.workshop.store, "consignments")
    assert (pieces.watch(), pieces.states(poison)) == (1, [LotState.UNANSWERED])


def test_the_answer_clears_it_at_every_stage(pieces: Rig) -> None:
    """D1, R4."""
    message = pieces.submit(ONE, TWO, FAR)
    pieces.acknowledge(ONE)
    pieces.clock.pass_hours(48)
    pieces.watch()
    assert pieces.states(message) == [LotState.ACKNOWLEDGED, LotState.UNANSWERED, LotState.UNANSWERED]
    assert "lot 001" not in pieces.texts[-1]
    pieces.acknowledge(TWO, code="0012")
    pieces.clock.pass_hours(48)
    pieces.watch()
    assert pieces.states(message) == [LotState.ACKNOWLEDGED, LotState.REFUSED, LotState.MANUAL]
    pieces.acknowledge(FAR, insurer="01011@011.01.rss.fr")
    assert pieces.states(message)[2] == LotState.ACKNOWLEDGED
    pieces.clock.pass_hours(1000)
    assert (pieces.watch(), len(pieces.texts)) == (0, 3)


def test_silence_on_lots_built_here_is_the_operator_s_alone(pieces: Rig) -> None:
    """C6."""
    message = pieces.submit(SPLIT)
    pieces.acknowledge(SPLIT)
    pieces.clock.pass_hours(48)
    assert (pieces.watch(), len(pieces.texts)) == (1, 1)
    (event,) = pieces.events(message, "silence")
    assert (event.outcome, event.data["ps_prevenu"], len(event.data["lots"])) == ("sans-reponse", False, 1)


def test_a_lot_sent_again_is_told_by_its_first_sending_alone(pieces: Rig) -> None:
    """D1, D2: manual 96 h after the first delivery, whatever was sent again meanwhile."""
    first = pieces.submit(ONE)
    pieces.clock.pass_hours(48)
    pieces.watch()
    again = pieces.submit(ONE)
    pieces.clock.pass_hours(48)
    pieces.watch()
    assert (pieces.states(first), pieces.states(again)) == ([LotState.MANUAL], [LotState.UNANSWERED])
    assert pieces.events(again, "silence") == []
    pieces.clock.pass_hours(48)
    pieces.watch()
    assert [text for text in pieces.texts if "Traitement manuel" in text] == [pieces.texts[3]]
    pieces.acknowledge(ONE)
    assert pieces.states(first) + pieces.states(again) == [LotState.ACKNOWLEDGED] * 2


def test_the_delays_are_settings(tmp_path: Path, database_url: str) -> None:
    """D1."""
    with rig(tmp_path, database_url, '[watch]\nsilence = "30m"\nmanual = "2h"\n') as pieces:
        message = pieces.submit(ONE)
        pieces.clock.now += 30 * 60_000
        pieces.watch()
        assert "Sans réponse depuis 30 min :" in pieces.texts[-1]
        pieces.submit(ONE)
        assert len(pieces.arrived()) == 2
        pieces.clock.now += 90 * 60_000
        pieces.watch()
        assert "sans réponse depuis 2 h :" in pieces.texts[-1]
        assert pieces.states(message) == [LotState.MANUAL]


def test_a_delay_of_seconds_is_told_in_seconds(tmp_path: Path, database_url: str) -> None:
    """D1: an operator who tries it out with short delays."""
    with rig(tmp_path, database_url, '[watch]\nsilence = "90s"\nmanual = "2m"\n') as pieces:
        pieces.submit(ONE)
        pieces.clock.now += 90_000
        pieces.watch()
        assert "Sans réponse depuis 90 s :" in pieces.texts[-1]
        pieces.clock.now += 30_000
        pieces.watch()
        assert "sans réponse depuis 2 min :" in pieces.texts[-1]


def test_an_answer_that_comes_meanwhile_wins(pieces: Rig) -> None:
    """D1: a lot that has left its state is not moved, nor those looked at with it."""
    message = pieces.submit(ONE, TWO)
    with pieces.workshop.store.begin() as conn:
        ids = [lot.id for lot in lots.of_message(conn, message.id)]
        lots.set_state(conn, ids[:1], LotState.ACKNOWLEDGED, "", pieces.clock())
        assert not lots.let_time_pass(conn, ids, LotState.DELIVERED, LotState.UNANSWERED, HOUR)
    assert pieces.states(message) == [LotState.ACKNOWLEDGED, LotState.DELIVERED]
