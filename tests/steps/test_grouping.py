"""A15: what was built for one destination from several messages leaves as one file, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.steps.gather import gather
from tests.claims import Batch, Claim
from tests.steps.resending_rig import LOIRE, Rig, rig

WINDOW = '[grouping]\nwindow = "1h"\n'


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    with rig(tmp_path, database_url, WINDOW) as made:
        yield made


def lot(number: int) -> Batch:
    return Batch((Claim(number),), number)


def test_smoke(pieces: Rig) -> None:
    one, two = lot(1), lot(2)
    first = pieces.submit(one)
    second = pieces.submit(two)
    assert pieces.arrived() == []
    assert gather(pieces.workshop) == 0
    pieces.clock.pass_hours(1)
    assert gather(pieces.workshop) == 1
    assert gather(pieces.workshop) == 0
    pieces.work()
    assert pieces.arrived() == [one.content(), two.content()]
    assert len(pieces.outside.of(LOIRE)) == 1
    assert pieces.states(first) == pieces.states(second) == ["delivered"]
