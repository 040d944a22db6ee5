"""The documents say what the code is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_state_diagrams_are_those_of_the_code() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "infra" / "state_diagrams.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_rooms_of_the_architecture_are_those_of_the_folder() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {path.name for path in (ROOT / "oct").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {room for room in rooms if f"`oct/{room}`" not in page} == set()
