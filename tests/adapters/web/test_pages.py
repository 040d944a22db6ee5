"""The pages over the traffic: what each shows, to whom, and that each look is an event (J1, J3, K1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from oct.domain.rights import Role
from tests.adapters.web.markup import faults
from tests.adapters.web.rig import Rig
from tests.adapters.web.traffic import ANSWER, CONTENT, PS, TRACE, Traffic, play, seal

PAGES = {
    "/": "Rien ne demande",
    "/messages": TRACE,
    f"/messages/{TRACE}": "caisse-inconnue",
}


def paths(there: Traffic) -> list[str]:
    """Every page there is."""
    return [
        "/", "/etat", "/recherche", f"/recherche?q={TRACE}", "/recherche?q=000000001", "/recherche?q=001",
        f"/recherche?q={PS}", "/recherche?q=01422999", "/recherche?q=rien+du+tout",
        "/messages", "/messages?jour=2026-11-30", f"/messages/{TRACE}", f"/messages/{ANSWER}",
        "/lots", "/lots?etat=paid", f"/lots?ps={PS}", f"/lots?assureur={there.insurer}", f"/lots/{there.lots[0]}",
        f"/lots/{there.lots[2]}", "/envois", f"/envois?ps={PS}", f"/envois?assureur={there.insurer}",
        f"/envois/{there.sent}", f"/envois/{there.art}", "/factures/1", "/retours", f"/retours?ps={PS}",
        f"/retours/{there.returned}", "/retenues", "/retenues?closes=true", f"/retenues/{there.hold}",
        f"/retenues/{there.closed_hold}", "/praticiens", f"/praticiens/{PS}", "/assureurs", f"/assureurs/{there.insurer}",
        "/certificats", "/journal", "/journal/0", "/journal/tetes", "/journal/tetes/1", "/export", "/acces",
        f"/messages/{TRACE}/contenu",
    ]  # fmt: skip


@pytest.fixture
def there(rig: Rig, tmp_path: Path) -> Traffic:
    """The traffic, sealed."""
    played = play(rig)
    seal(rig, tmp_path / "journal")
    return played


def test_every_page_is_sound_and_each_look_is_one_event(rig: Rig, there: Traffic) -> None:
    """J3: who, what; no page holds a payload."""
    browser = rig.signed_in("chef", Role.ADMINISTRATOR, payloads=True)
    for path in paths(there):
        before = len(rig.told("consulte"))
        page = browser.get(path)
        assert page.status_code == 200, path
        assert "1850578006048" not in page.text, path
        if path == "/etat":
            continue
        assert faults(page.text) == [], path
        looks = rig.told("consulte")[before:]
        assert len(looks) == 1, path
        assert looks[0][2] == "chef"
