"""What an operator is told about the trace itself (T1, T3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from oct.clock import system_clock
from oct.errors import StoreError
from oct.steps.alerts.trace import upkeep_alerts
from oct.steps.journal.logbook import Logbook
from oct.steps.keeping.purge import Limits, purge
from oct.store import events, journal
from oct.store.engine import Store
from oct.store.events import READING, Event
from tests.adapters.store.arrivals import arrive
from tests.steps.journal_rig import MINUTE, Journal

DAY = 86_400_000
LIMITS = Limits(payloads=90 * DAY, unanswered=400 * DAY, access=365 * DAY, journal=3650 * DAY)


@pytest.fixture
def log(store: Store, tmp_path: Path) -> Journal:
    return Journal(store, tmp_path)


def alerts(log: Journal, later: int = 0) -> list[str]:
    return list(upkeep_alerts(log.store, log.heads, LIMITS, log.now + later))


def since(log: Journal, size: int) -> int | None:
    with log.store.read() as conn:
        return journal.unproven_since(conn, size)


def test_events_that_no_published_head_covers_are_told_after_a_minute(log: Journal) -> None:
    """T1: not sealed; sealed and not published; published."""
    assert alerts(log) == []
    first = log.now + 1
    log.write(3)
    assert (since(log, 0), alerts(log)) == (first, [])
    (late,) = alerts(log, 2 * MINUTE)
    assert "sous aucune tête publiée" in late
    log.seal()
    assert alerts(log, 2 * MINUTE) == []
    before, second = log.heads.read_bytes(), log.now + 1
    log.write(2)
    log.seal()
    log.heads.write_bytes(before)
    assert (since(log, 3), len(alerts(log, 2 * MINUTE))) == (second, 1)
    log.heads.unlink()
    assert len(alerts(log, 2 * MINUTE)) == 1


def test_heads_that_cannot_be_read_are_told(log: Journal) -> None:
    """T1."""
    log.write(1)
    log.seal()
    log.heads.write_bytes(b"illisible\n")
    assert alerts(log) == [f"les têtes publiées du journal ne peuvent pas être lues : {log.heads}"]


def test_a_logbook_that_is_not_written_is_told_after_a_minute(log: Journal) -> None:
    """T5: its folder may be read-only, as that of a container's configuration is. What is not sealed is told above."""
    log.write(1)
    log.seal()
    log.write(1)
    with pytest.raises(StoreError, match="registre-non-ecrit"):
        Logbook(log.store, log.home / "absent" / "registre.jsonl").run()
    log.sealer.run()
    assert alerts(log) == []
    (told,) = alerts(log, 2 * MINUTE)
    assert "le registre des messages acceptés n'est plus écrit depuis le " in told
    log.logbook.run()
    assert alerts(log, 2 * MINUTE) == []


def test_what_is_kept_for_too_long_is_told_until_a_purge_ran(store: Store, tmp_path: Path) -> None:
    """T3. Two days after it should have gone: contents, readings, events."""
    log = Journal(store, tmp_path)
    log.now = system_clock() - 4000 * DAY
    with store.begin() as conn:
        arrive(conn, 9, state="processed", due_at=None, received_at=log.now)
        events.append(conn, [Event(log.now, READING, "page", actor="console:durand")])
    log.seal()
    assert alerts(log, 91 * DAY) == []
    told = alerts(log, 4000 * DAY)
    for word, sentence in zip(("contenus", "access", "journal"), told, strict=True):
        assert word in sentence
    log.now += 4000 * DAY
    purge(store, lambda: log.now, LIMITS)
    log.seal()
    assert alerts(log) == []
