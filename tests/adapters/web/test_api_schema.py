"""The API against its own description (issue 5): schemathesis finds no 5xx, no data without rights, no schema break."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.domain.rights import Role
from tests.adapters.web.fuzzed import HOSTS, attack
from tests.adapters.web.rig import Rig, console
from tests.adapters.web.traffic import play, seal


@pytest.fixture
def filled(tmp_path: Path, sqlite_template: Path) -> Iterator[Rig]:
    """Traffic of every kind, sealed."""
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'oct.db')}"
    with console(tmp_path / "oct", url, web=HOSTS) as rig:
        play(rig)
        seal(rig, tmp_path / "journal")
        yield rig


def test_every_call_keeps_what_the_description_says_at_every_bound(filled: Rig) -> None:
    """No 5xx, no undocumented status or content, no answer outside its schema, nothing taken that is described as
    wrong, nothing without a token."""
    found = attack(filled, Role.ADMINISTRATOR, examples=2, coverage=True)
    assert found.faults == {}
    assert found.statuses[200] > 100
    assert found.statuses[422] > 200
    assert found.statuses[401] > 40


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR])
def test_a_token_of_less_gets_refusals_as_described(filled: Rig, role: Role) -> None:
    found = attack(filled, role, examples=2, coverage=False)
    assert found.faults == {}
    assert found.statuses[403] > 10
    assert found.statuses[200] > 10
