"""P6: a killed server loses nothing. `make soak` runs its long form."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.pop.storm import Storm


def test_a_server_killed_again_and_again_loses_nothing_and_mixes_nothing(sqlite_url: str, folder: Path) -> None:
    """Each return is read at least once, none goes without QUIT, none shows in a wrong mailbox."""
    found = Storm(sqlite_url, folder, boxes=8, returns=5).rage(clients=3, kill_every=0.02)
    assert found.faults == []
    assert found.kills >= 1
