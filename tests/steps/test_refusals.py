"""What the door refuses is told, a few by themselves and the others counted; it costs nothing to anybody else (H2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text

from oct.errors import StoreError
from oct.smtp.transaction import Reply
from oct.steps.alerts.door import refusals_of_the_day
from oct.steps.door.refusals import Refusals
from oct.store.alerts import refusals_since
from oct.store.tables import events
from tests.steps.bench import Bench, bench

NOON = 1_795_345_200_000
"""22 November 2026, 12:00 in France."""
MINUTE = 60_000
UNKNOWN = Reply(550, "5.7.1 Expediteur inconnu")


class Hands:
    """A clock that a test sets."""

    now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def pieces(tmp_path: Path, database_url: str, clock: Hands) -> Iterator[Bench]:
    with bench(tmp_path, database_url) as made:
        yield Bench(replace(made.workshop, clock=clock), made.hands, made.outside)


def told(pieces: Bench) -> list[tuple[str, dict[str, object]]]:
    """The events of refusals."""
    with pieces.workshop.store.read() as conn:
        rows = conn.execute(select(events.c.outcome, events.c.data).where(events.c.kind == "refus"))
        return [(row.outcome, json.loads(row.data)) for row in rows]


def counted(pieces: Bench, since: int) -> dict[str, int]:
    with pieces.workshop.store.read() as conn:
        return dict(refusals_since(conn, since))


def test_the_first_of_a_minute_are_told_by_themselves_and_the_others_counted(pieces: Bench, clock: Hands) -> None:
    refusals = Refusals(pieces.workshop)
    for host in range(25):
        refusals.note(f"192.0.2.{host}", UNKNOWN)
    refusals.note("192.0.2.1", Reply(552, "5.3.4 Message trop volumineux : 50 Mo au plus"))
    assert refusals.write() == 11
    assert refusals.write() == 0
    clock.now += MINUTE
    assert refusals.write() == 1
    assert told(pieces)[0] == (
        "refuse", {"pair": "192.0.2.0", "code": 550, "motif": "5.7.1 Expediteur inconnu"},
    )  # fmt: skip
    assert told(pieces)[-1] == ("autres", {"code": 550, "motif": "5.7.1 Expediteur inconnu", "nombre": 15})
    assert counted(pieces, NOON) == {"550": 25, "552": 1}


def test_each_minute_and_each_reason_begin_anew(pieces: Bench, clock: Hands) -> None:
    refusals = Refusals(pieces.workshop)
    for reply in (UNKNOWN, Reply(550, "5.1.1 Destinataire inconnu")):
        for _ in range(2):
            for _ in range(11):
                refusals.note("192.0.2.1", reply)
            clock.now += MINUTE
    assert refusals.write() == 44
    assert counted(pieces, 0) == {"550": 44}


def test_trace_numbers_make_no_reasons_and_reasons_without_end_are_one(pieces: Bench) -> None:
    refusals = Refusals(pieces.workshop)
    for rank in range(1000):
        refusals.note("192.0.2.1", Reply(451, f"4.3.0 Erreur interne, reessayez plus tard, trace {rank}"))
        refusals.note("192.0.2.1", Reply(554, f"5.6.0 Motif {rank}"))
    assert refusals.write(ended=True) < 150
    assert counted(pieces, 0) == {"451": 1000, "554": 1000}
    assert all("trace" not in str(data["motif"]) for _, data in told(pieces))


def test_a_database_that_is_away_loses_these_events_and_nothing_else(pieces: Bench) -> None:
    refusals = Refusals(pieces.workshop)
    refusals.note("192.0.2.1", UNKNOWN)
    with pieces.workshop.store.begin() as conn:
        conn.execute(text("ALTER TABLE events RENAME TO parti"))
    with pytest.raises(StoreError):
        refusals.write()
    with pieces.workshop.store.begin() as conn:
        conn.execute(text("ALTER TABLE parti RENAME TO events"))
    refusals.note("192.0.2.2", UNKNOWN)
    refusals.write()
    assert [data["pair"] for _, data in told(pieces)] == ["192.0.2.2"]


def test_what_is_left_is_written_at_a_stop(pieces: Bench) -> None:
    refusals = Refusals(pieces.workshop)
    refusals.start()
    for _ in range(12):
        refusals.note("192.0.2.1", UNKNOWN)
    refusals.stop()
    assert counted(pieces, NOON) == {"550": 12}


def test_the_day_begins_at_midnight_in_france(pieces: Bench, clock: Hands) -> None:
    refusals = Refusals(pieces.workshop)
    for hours in (-13, -11, 0):
        clock.now = NOON + hours * 60 * MINUTE
        refusals.note("192.0.2.1", UNKNOWN)
    refusals.write(ended=True)
    with pieces.workshop.store.read() as conn:
        assert refusals_of_the_day(conn, NOON) == {"550": 2}
