"""The console of each test, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.crypto import passwords
from tests.adapters.web.rig import CHEAP, Rig, console


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost nothing: what they cost is for the journeys."""
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)


@pytest.fixture
def rig(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    """A console on a migrated database of the test's own: the test runs once with each kind."""
    with console(tmp_path / "oct", database_url) as made:
        yield made


@pytest.fixture
def sqlite_rig(tmp_path: Path, sqlite_url: str) -> Iterator[Rig]:
    """The same on SQLite alone, for what does not depend on the database."""
    with console(tmp_path / "oct", sqlite_url) as made:
        yield made
