"""T3: the log outlives what it tells. After every purge it still verifies, and what went undeclared is found (T1)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, func, select, text, update

from oct.clock import system_clock
from oct.errors import StoreError
from oct.steps.journal.proof import export
from oct.steps.keeping.purge import Limits, purge
from oct.store import events, log_lines, retention
from oct.store.browse.log import readings_page
from oct.store.engine import Store
from oct.store.events import READING, Event
from oct.store.log_lines import Selection
from oct.store.tables import event_details, event_leaves
from oct.store.tables import events as table
from oct.trace.verify import ProofError
from tests.steps.journal_rig import Journal, owning

TODAY = system_clock()
"""The database looks at its own clock."""
DAY = 86_400_000
YEAR = 365 * DAY
LIMITS = Limits(payloads=90 * DAY, unanswered=2 * YEAR, access=YEAR, journal=10 * YEAR)
READERS = ("console:durand", "console:martin", "cli:claire")


class OldJournal(Journal):
    """Events of eleven years ago (12), of two (9), of this week (6); each third one is a reading."""

    def __init__(self, store: Store, home: Path) -> None:
        super().__init__(store, home)
        for age, count in ((11 * YEAR, 12), (2 * YEAR, 9), (2 * DAY, 6)):
            self.now = TODAY - age
            with store.begin() as conn:
                for rank in range(count):
                    events.append(conn, [self.reading(rank) if rank % 3 == 2 else self.event(rank)])
            self.seal()
        self.now = TODAY

    def reading(self, rank: int) -> Event:
        """Somebody looked."""
        self.now += 1
        data = {"motif": "contrôle", "rang": rank}
        return Event(self.now, READING, "page", message_id=self.messages[0], actor=READERS[rank % 3], data=data)

    def purge(self, limits: Limits = LIMITS) -> int:
        """One run, its declarations under a head."""
        done = purge(self.store, lambda: self.now, limits)
        self.seal()
        return done


@pytest.fixture
def log(store: Store, tmp_path: Path) -> OldJournal:
    return OldJournal(store, tmp_path)


def test_the_log_verifies_after_every_purge(log: OldJournal) -> None:
    """Of 12 events and 4 details ten years ago, and 3 details of two years ago, nothing is left but leaves."""
    assert "Purgés" not in log.check(log.bundle("avant.zip"))
    assert log.purge() == 4 + 3 + 12
    assert log.purge() == 0
    assert log.live() == 27 + 2
    told = log.check(log.bundle())
    assert "29 événements, tout le journal" in told
    assert "12 événements, les détails de 3 consultations" in told
    with log.store.read() as conn:
        assert conn.execute(select(func.count()).select_from(event_details)).scalar() == 2
        assert conn.execute(select(func.count()).where(table.c.kind == "")).scalar() == 12
        assert [seq for seq, line in log_lines.lines(conn, 29) if not line] == list(range(12))
        actors = [one.event.actor for one in readings_page(conn).rows if one.event is not None]
    assert actors == [READERS[2], READERS[2], "", "", ""]


def test_a_run_in_small_steps_declares_each(log: OldJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oct.steps.keeping.purge._PLACES", 5)
    assert log.purge() == 19
    with log.store.read() as conn:
        declared = conn.execute(select(func.count()).where(table.c.kind == "purge")).scalar()
    assert declared == 5 + 3
    assert log.live() == 27 + 8
    assert log.faults() == []


def test_a_selection_without_its_old_events_is_proven(log: OldJournal) -> None:
    log.purge()
    path = log.home / "choix.zip"
    assert export(log.store, path, Selection(until=TODAY - YEAR), log.now) == 9
    assert "9 événements choisis" in log.check(path)
    with zipfile.ZipFile(path) as files:
        assert files.read("acces.jsonl") == b""


def test_a_detail_removed_before_its_time_is_named(log: OldJournal) -> None:
    """T1: the one at 23, of two days ago."""
    log.purge()
    with owning(log.store) as conn:
        conn.execute(delete(event_details).where(event_details.c.event_id == event_id(conn, 23)))
    assert log.faults() == [23, 23]


def test_a_detail_changed_is_named(log: OldJournal) -> None:
    with owning(log.store) as conn:
        row = event_details.c.event_id == event_id(conn, 23)
        kept = conn.execute(select(event_details.c.content).where(row)).scalar_one()
        conn.execute(update(event_details).where(row).values(content=kept.replace("claire", "autrui")))
    assert log.faults() == [23, 23]


def test_old_events_emptied_without_a_word_are_named(log: OldJournal) -> None:
    """T1: also when whoever did it told the program that it was done."""
    with owning(log.store) as conn:
        retention.empty(conn, 0, 2)
    assert log.faults() == [0, 0]
    log.purge(Limits(2 * YEAR, 2 * YEAR, YEAR, 20 * YEAR))
    assert log.faults() == [0, 0]


def test_an_event_deleted_inside_what_was_purged_is_nothing_new_and_outside_is_named(log: OldJournal) -> None:
    log.purge()
    with owning(log.store) as conn:
        gone = event_id(conn, 15)
        conn.execute(delete(event_leaves).where(event_leaves.c.seq == 15))
        conn.execute(delete(table).where(table.c.id == gone))
    assert log.faults() == [15, 15]


@pytest.mark.parametrize(("what", "before"), [("journal", 24), ("acces", 27), ("journal", 27)])
def test_a_purge_invented_to_cover_what_is_recent_is_named(log: OldJournal, what: str, before: int) -> None:
    """T1: the heads tell when things were sealed, whatever the declaration says."""
    with owning(log.store) as conn:
        events.append(conn, [Event(log.now, "purge", what, data={"avant": before, "conservation": 0})])
        gone = select(event_leaves.c.event_id).where(event_leaves.c.seq < before)
        conn.execute(delete(event_details).where(event_details.c.event_id.in_(gone)))
        if what == "journal":
            conn.execute(update(table).where(table.c.id.in_(gone)).values(kind="", data=""))
    log.seal()
    with pytest.raises(ProofError, match="porte sur ce qui devait rester") as caught:
        log.live()
    assert caught.value.seq == 27


def test_the_database_itself_keeps_what_is_young(log: OldJournal) -> None:
    """Whoever asks; an event of a year, a detail of 30 days, and nothing is ever changed."""
    for statement in (
        "UPDATE events SET kind = '' WHERE id = {old}",
        "UPDATE events SET data = '{{}}' WHERE id = {old}",
        "DELETE FROM events WHERE id = {old}",
        "UPDATE event_details SET content = '' WHERE event_id = {read}",
        "DELETE FROM event_details WHERE event_id = {young}",
    ):
        with log.store.read() as conn:
            ids = {"old": event_id(conn, 0), "read": event_id(conn, 8), "young": event_id(conn, 26)}
        with pytest.raises(StoreError), log.store.begin() as conn:
            conn.execute(text(statement.format(**ids)))
    with pytest.raises(StoreError), log.store.begin() as conn:
        retention.empty(conn, 0, 24)
    with pytest.raises(StoreError), log.store.begin() as conn:
        retention.forget(conn, 0, 27)
    assert log.live() == 27


def event_id(conn: Connection, seq: int) -> int:
    found: int = conn.execute(select(event_leaves.c.event_id).where(event_leaves.c.seq == seq)).scalar_one()
    return found
