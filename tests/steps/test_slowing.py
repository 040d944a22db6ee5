"""H4: whoever sends many messages that cannot be deciphered is opened slowly, and told of; nobody else waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oct.steps.alerts.door import door_alerts
from oct.steps.door.slowing import HOUR_MS
from oct.store import insurers, messages
from oct.store.messages import Message
from tests.steps.bench import CLAIMS, Bench, Hands, bench

PONT, PARC, REIMS = "pont@boite.example", "parc@boite.example", "01511@511.01.rss.fr"
GOLDEN = (CLAIMS / "messages" / "01-single-file.eml").read_bytes()
OF_PARC = (CLAIMS / "messages" / "02-source-split-amo.eml").read_bytes()
MOST = 3
GAP = HOUR_MS // MOST
NOON = 1_795_345_200_000


class Hand:
    """A clock that a test sets."""

    now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def pieces(tmp_path: Path, database_url: str, clock: Hand) -> Iterator[Bench]:
    with bench(tmp_path, database_url, f"[opening]\nundecipherable = {MOST}") as made:
        workshop = replace(made.workshop, clock=clock)
        yield Bench(workshop, Hands(workshop, made.hands.connect, "essai-", batch=1), made.outside)


def rubbish(rank: int) -> bytes:
    """A claim of PONT whose envelope cannot be opened."""
    head, blank, body = GOLDEN.replace(b"2026112008000100001", b"20261120080001%05d" % rank).partition(b"\r\n\r\n")
    return head + blank + body[: len(body) // 2]


def state(pieces: Bench, message: Message) -> tuple[str, str, int | None]:
    with pieces.workshop.store.read() as conn:
        now = messages.by_id(conn, message.id)
    assert now is not None
    return now.state, now.code, now.due_at


def alerts(pieces: Bench) -> list[str]:
    workshop = pieces.workshop
    return list(door_alerts(workshop.store, "", 0, workshop.clock()))


def test_the_messages_that_follow_wait_spaced_whatever_they_hold(pieces: Bench, clock: Hand) -> None:
    """The next ones are taken with 250 and put off, a good one too; an hour later it is over."""
    for rank in range(MOST):
        assert state(pieces, pieces.take(rubbish(rank), PONT))[:2] == ("refused", "indechiffrable")
    assert alerts(pieces) == []
    later = [pieces.take(raw, PONT) for raw in (rubbish(7), GOLDEN, rubbish(8))]
    assert [state(pieces, one) for one in later] == [("received", "", NOON + GAP * turn) for turn in (1, 2, 3)]
    assert [len(pieces.events(one, "ralenti")) for one in later] == [1, 1, 1]
    (alert,) = alerts(pieces)
    assert alert.startswith("PS 421234567 : trop de messages indéchiffrables")
    assert "(3 reports en 24 h)" in alert
    arts = len(pieces.outside.of(PONT))
    clock.now += HOUR_MS + GAP
    pieces.work()
    assert [state(pieces, one)[0] for one in later] == ["refused", "processed", "refused"]
    assert len(pieces.outside.of(PONT)) == arts + 3
    clock.now += 24 * HOUR_MS
    assert alerts(pieces) == []


def test_no_more_than_the_bound_are_opened_in_an_hour_however_many_come(pieces: Bench, clock: Hand) -> None:
    for rank in range(30):
        pieces.receive(rubbish(rank), PONT)
    opened = []
    for _ in range(6 * MOST):
        before = len(pieces.outside.of(PONT))
        pieces.work()
        opened.append(len(pieces.outside.of(PONT)) - before)
        clock.now += GAP
    hours = [sum(opened[start : start + MOST]) for start in range(len(opened) - MOST + 1)]
    assert max(hours) <= MOST
    assert sum(opened) > MOST


def test_nobody_else_waits(pieces: Bench) -> None:
    for rank in range(MOST + 1):
        pieces.take(rubbish(rank), PONT)
    assert state(pieces, pieces.take(OF_PARC, PARC))[0] == "processed"


def test_an_insurer_is_slowed_down_by_itself(pieces: Bench) -> None:
    """Its address is counted, not the host that it shares with others."""
    for rank in range(MOST + 1):
        pieces.take(rubbish(rank).replace(b"pont@boite.example", REIMS.encode()), REIMS)
    (alert,) = alerts(pieces)
    with pieces.workshop.store.read() as conn:
        (insurer,) = insurers.by_address(conn, REIMS)
    assert alert.startswith(f"{insurer.label} : trop de messages")
    assert state(pieces, pieces.take(OF_PARC, PARC))[0] == "processed"


def test_another_process_slows_down_too(pieces: Bench) -> None:
    """What is counted is in the database."""
    for rank in range(MOST):
        pieces.take(rubbish(rank), PONT)
    second = Bench(pieces.workshop, Hands(pieces.workshop, pieces.hands.connect, "autre-"), pieces.outside)
    assert state(second, second.take(GOLDEN, PONT)) == ("received", "", NOON + GAP)
