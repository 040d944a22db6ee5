"""`oct status` tells what the trace itself needs (T1)."""

from __future__ import annotations

import pytest

from oct import clock
from tests.adapters.cli.desk import PRACTITIONERS, Office
from tests.adapters.cli.test_proof import seal


def test_events_that_no_published_head_covers_for_a_minute_need_a_person(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T1. The events are those of `ps import`; nobody seals."""
    assert office("ps", "import", office.file("praticiens.csv", PRACTITIONERS)).code == 0
    assert office("status").code == 0
    now = clock.system_clock()
    monkeypatch.setattr(clock, "system_clock", lambda: now + 61_000)
    late = office("status", "--json")
    assert (late.code, "sous aucune tête publiée" in late.json["alertes"][0]) == (1, True), late
    seal(office)
    assert office("status").code == 0
