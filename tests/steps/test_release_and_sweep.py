"""What waits: decided once, cured by a certificate without being asked for, not hidden by what stays (L6, H8, K2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.errors import CertificateError, RuleError
from oct.steps import sweep as sweeping
from oct.steps.release import refuse, release
from oct.steps.sweep import sweep
from tests.steps.bench import CLAIMS, Bench, add_certificates
from tests.steps.claims_bench import claims_bench

PONT = "pont@boite.example"
BOURG = "01011@011.01.rss.fr"
GOLDEN = (CLAIMS / "messages" / "01-single-file.eml").read_bytes()


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    """No insurer has a certificate."""
    with claims_bench(tmp_path, database_url, certified=False) as made:
        yield made


def test_the_sweep_releases_only_what_has_its_certificate(pieces: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """H8: page by page, so that holds which stay do not hide the others."""
    monkeypatch.setattr(sweeping, "_PAGE", 1)
    message = pieces.take(GOLDEN, PONT)
    assert {hold.code for hold in pieces.holds(message)} == {"certificat-absent"}
    assert len(pieces.holds(message)) == 4
    assert sweep(pieces.workshop) == 0
    with pieces.workshop.store.begin() as conn:
        add_certificates(conn, f"{BOURG}.pem")
    assert sweep(pieces.workshop) == 1
    assert sweep(pieces.workshop) == 0
    pieces.work()
    assert len(pieces.holds(message)) == 3
    assert len(pieces.outside.of(BOURG)) == 1


def test_a_hold_is_decided_once(pieces: Bench) -> None:
    """K2."""
    message = pieces.take(GOLDEN, PONT)
    with pieces.workshop.store.begin() as conn:
        add_certificates(conn, "*@*.pem")
    first, second, *_ = pieces.holds(message)
    release(pieces.workshop, first.id, "essai")
    with pytest.raises(RuleError, match="retenue-inconnue"):
        release(pieces.workshop, first.id, "essai")
    refuse(pieces.workshop, second.id, "essai", "Essai.")
    with pytest.raises(RuleError, match="retenue-inconnue"):
        release(pieces.workshop, second.id, "essai")
    pieces.work()
    assert sorted(event.outcome for event in pieces.events(message, "decision")) == ["libere", "refuse"]


def test_a_decision_that_cannot_be_carried_out_leaves_the_hold_as_it_was(pieces: Bench) -> None:
    """L6, H8."""
    message = pieces.take(GOLDEN, PONT)
    before = pieces.holds(message)
    for hold in before:
        with pytest.raises(CertificateError, match="certificat-absent"):
            release(pieces.workshop, hold.id, "essai")
    assert pieces.holds(message) == before
    assert pieces.events(message, "decision") == []
