"""What an operator is told about the trace itself (T1, T3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from oct.steps.upkeep import upkeep_alerts
from oct.store import journal
from oct.store.engine import Store
from tests.steps.journal_rig import MINUTE, Journal


@pytest.fixture
def log(store: Store, tmp_path: Path) -> Journal:
    return Journal(store, tmp_path)


def alerts(log: Journal, later: int = 0) -> list[str]:
    return list(upkeep_alerts(log.store, log.heads, log.now + later))


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
