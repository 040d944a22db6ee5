"""The section [pop] of the settings: its faults are told in French (R5, H9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from oct.errors import ConfigurationError
from oct.settings import load


@pytest.mark.parametrize(
    ("line", "fault"),
    [("idle = '9m'", "10m au moins"), ("clear_networks = ['192.168.1.1/24']", "un réseau, par exemple")],
)
def test_faults_of_the_pop_settings_are_told_in_french(folder: Path, line: str, fault: str) -> None:
    path = folder / "oct.toml"
    path.write_text(f"[pop]\n{line}\n")
    with pytest.raises(ConfigurationError, match=fault):
        load(path, {})
