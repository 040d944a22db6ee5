"""Decisions on the console over real claims: what the steps did, the page shows; what it decides, the steps do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.steps.register.sign_in import SignIn, SignInRules
from oct.steps.register.turned_away import TurnedAway
from oct.web.app import create_app
from oct.web.desk import Desk
from tests.adapters.web.markup import faults
from tests.adapters.web.rig import Browser, Clock, Rig
from tests.adapters.web.test_decisions import decide
from tests.steps.bench import Bench, add_certificates
from tests.steps.claims_bench import claims_bench
from tests.steps.test_release_and_sweep import BOURG, GOLDEN, PONT


@pytest.fixture
def pieces(tmp_path: Path, sqlite_url: str) -> Iterator[Bench]:
    """A concentrator whose insurers have no certificate yet."""
    with claims_bench(tmp_path, sqlite_url, certified=False) as made:
        yield made


def operator(pieces: Bench) -> Browser:
    """Somebody at the console of that concentrator."""
    workshop = pieces.workshop
    clock = Clock(workshop.clock())
    sign_in = SignIn(workshop.store, workshop.vault, clock, workshop.chance, SignInRules())
    return Rig(workshop, create_app(Desk(workshop, sign_in, TurnedAway(workshop))), clock).signed_in("operatrice")


def test_a_held_file_is_released_from_its_page_and_its_journey_goes_on(pieces: Bench) -> None:
    """K2, L6: the page says why it waits, first that it still cannot leave, then that it left."""
    message = pieces.take(GOLDEN, PONT)
    browser = operator(pieces)
    story = browser.get(f"/messages/{message.trace}")
    assert faults(story.text) == []
    assert "Retenue" in story.text
    hold = next(one for one in pieces.holds(message) if one.insurer_id is not None)
    decide(browser, hold.id, quoi="liberer")
    assert browser.last.status_code == 422
    assert "certificat" in browser.last.text
    assert hold in pieces.holds(message)
    with pieces.workshop.store.begin() as conn:
        add_certificates(conn, "*@*.pem")
    for one in pieces.holds(message):
        decide(browser, one.id, quoi="liberer")
        assert browser.last.status_code == 303, browser.last.text
    pieces.work()
    assert pieces.holds(message) == []
    assert len(pieces.outside.of(BOURG)) == 1
    after = browser.get(f"/messages/{message.trace}")
    assert faults(after.text) == []
    assert "Remis" in after.text
    assert {event.actor for event in pieces.events(message, "decision")} == {"operatrice"}
