"""`oct status` tells when the trace is not proven in time (T1)."""

from __future__ import annotations

import pytest

from oct import clock
from tests.adapters.cli.desk import PRACTITIONERS, Office
from tests.adapters.cli.test_proof import seal

MINUTES_LATER = 61_000


def test_events_that_no_published_head_covers_for_a_minute_need_a_person(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T1. The table of events is written by `ps import`; nobody seals."""
    assert office("ps", "import", office.file("praticiens.csv", PRACTITIONERS)).code == 0
    assert office("status").code == 0
    now = clock.system_clock()
    monkeypatch.setattr(clock, "system_clock", lambda: now + MINUTES_LATER)
    late = office("status", "--json")
    assert (late.code, "sous aucune tête publiée" in late.json["alertes"][0]) == (1, True), late
    seal(office)
    assert office("status").code == 0


def test_heads_that_cannot_be_read_need_a_person(office: Office) -> None:
    """T1."""
    seal(office)
    assert office("status").code == 0
    (office.folder / "tetes.jsonl").write_bytes(b"illisible\n")
    result = office("status")
    assert (result.code, "les têtes publiées du journal ne peuvent pas être lues" in result.out) == (1, True)
