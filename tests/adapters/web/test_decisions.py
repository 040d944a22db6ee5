"""What is done on the pages: decisions on holds, returns sent again, bundles, contents; each traced, each by right."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path

import pytest

from oct.domain.rights import Role
from oct.store import holds, lots
from oct.trace import verify
from tests.adapters.web.markup import faults
from tests.adapters.web.rig import Browser, Rig
from tests.adapters.web.traffic import CONTENT, PS, TRACE, Traffic, play, seal


@pytest.fixture
def there(sqlite_rig: Rig) -> Traffic:
    return play(sqlite_rig)


def decide(browser: Browser, hold: int, **given: str) -> None:
    """Asks, is shown what will be done, confirms."""
    browser.get(f"/retenues/{hold}")
    asked = browser.post(f"/retenues/{hold}/decision", **given)
    assert asked.status_code == 200, asked.text
    assert faults(asked.text) == []
    fields = dict(re.findall(r'type="hidden" name="([a-z]+)" value="([^"]*)"', asked.text))
    assert fields.pop("csrf")
    browser.post(f"/retenues/{hold}/decision", **{name: unescape(value) for name, value in fields.items()})


def test_a_refusal_is_confirmed_then_done_once_and_traced(sqlite_rig: Rig, there: Traffic) -> None:
    """K2: who decided what; the practitioner is told why."""
    browser = sqlite_rig.signed_in("operatrice")
    decide(browser, there.hold, quoi="refuser", raison="Caisse inconnue, « voir le PS »")
    assert (browser.last.status_code, browser.last.headers["location"]) == (303, f"/retenues/{there.hold}?fait=refuser")
    assert "Ce qui attendait est refusé." in browser.get(f"/retenues/{there.hold}?fait=refuser").text
    assert ("decision", "refuse", "operatrice") in sqlite_rig.told("decision")
    with sqlite_rig.workshop.store.read() as conn:
        assert lots.by_ids(conn, [there.lots[2]])[0].state == "refused_here"
    again = browser.post(f"/retenues/{there.hold}/decision", quoi="refuser", raison="encore une fois", confirme="true")
    assert again.status_code == 422
    assert "Aucune retenue ouverte" in again.text


def test_nothing_is_decided_before_it_is_confirmed(sqlite_rig: Rig, there: Traffic) -> None:
    browser = sqlite_rig.signed_in("operatrice")
    browser.get(f"/retenues/{there.hold}")
    assert browser.post(f"/retenues/{there.hold}/decision", quoi="refuser", raison="une raison").status_code == 200
    with sqlite_rig.workshop.store.read() as conn:
        assert [hold.id for hold in holds.list_open(conn)] == [there.hold]


def test_what_cannot_be_decided_is_said_and_stays(sqlite_rig: Rig, there: Traffic) -> None:
    browser = sqlite_rig.signed_in("operatrice")
    browser.get(f"/retenues/{there.hold}")
    for given in (
        {"quoi": "zut"}, {"quoi": "refuser", "raison": "non"}, {"quoi": "adresser", "assureur": "personne@nulle.part"},
        {"quoi": "refuser", "raison": "NIR 1 85 05 78 006 048 42"}, {"quoi": "adresser", "assureur": ""},
        {"quoi": "attribuer", "ps": "000000000"}, {"quoi": "attribuer", "ps": PS, "confirme": "true"},
        {"quoi": "liberer", "confirme": "true"},
    ):  # fmt: skip
        page = browser.post(f"/retenues/{there.hold}/decision", **given)
        assert page.status_code == 422, given
        assert 'role="alert"' in page.text
    with sqlite_rig.workshop.store.read() as conn:
        assert [hold.id for hold in holds.list_open(conn)] == [there.hold]


def test_an_insurer_is_named_by_id_code_or_address(sqlite_rig: Rig, there: Traffic) -> None:
    browser = sqlite_rig.signed_in("operatrice")
    browser.get(f"/retenues/{there.hold}")
    for named in (str(there.insurer), "01/422/999", "01422999", "01422@422.01.rss.test"):
        page = browser.post(f"/retenues/{there.hold}/decision", quoi="adresser", assureur=named)
        assert "Envoyer à un assureur : Caisse inventée" in page.text, named


def test_a_return_is_sent_again_and_never_to_somebody_else(sqlite_rig: Rig, there: Traffic) -> None:
    """R6, H7."""
    browser = sqlite_rig.signed_in("operatrice")
    assert "Renvoyer ce retour" in browser.get(f"/retours/{there.returned}").text
    refused = browser.post(f"/retours/{there.returned}/renvoi", adresse="01422@422.01.rss.test")
    assert refused.status_code == 422
    assert "quelqu" in refused.text
    assert browser.post(f"/retours/{there.returned}/renvoi", adresse="pas une adresse").status_code == 422
    done = browser.post(f"/retours/{there.returned}/renvoi")
    assert done.headers["location"] == f"/retours/{there.returned}?fait=envoye"
    assert ("decision", "renvoye", "operatrice") in sqlite_rig.told("decision")
    assert browser.post(f"/retours/{there.returned}/renvoi").headers["location"].endswith("fait=attend")


def test_an_auditor_decides_nothing_and_an_operator_takes_no_bundle(sqlite_rig: Rig, there: Traffic) -> None:
    """Rights are by role; a refusal is an event."""
    auditor, operator = sqlite_rig.signed_in("auditrice", Role.AUDITOR), sqlite_rig.signed_in("operatrice")
    for browser, path in (
        (auditor, f"/retenues/{there.hold}/decision"), (auditor, f"/retours/{there.returned}/renvoi"),
        (operator, "/export"), (auditor, f"/messages/{TRACE}/contenu"), (operator, f"/messages/{TRACE}/contenu"),
    ):  # fmt: skip
        assert browser.post(path, quoi="liberer", raison="une longue raison", tout="true").status_code == 403, path
    for browser, path in ((auditor, "/acces"), (operator, "/acces"), (operator, f"/messages/{TRACE}/contenu")):
        assert browser.get(path).status_code == 403, path
    assert "Renvoyer ce retour" not in auditor.get(f"/retours/{there.returned}").text
    assert "Libérer" not in auditor.get(f"/retenues/{there.hold}").text
    assert len(sqlite_rig.told("acces")) == 8
    with sqlite_rig.workshop.store.read() as conn:
        assert [hold.id for hold in holds.list_open(conn)] == [there.hold]


def test_a_form_without_its_token_does_nothing(sqlite_rig: Rig, there: Traffic) -> None:
    browser = sqlite_rig.signed_in("operatrice")
    forged = browser.post(f"/retenues/{there.hold}/decision", csrf="0" * 64, quoi="liberer", confirme="true")
    assert forged.status_code == 403
    assert sqlite_rig.told("decision") == []


def test_a_content_is_a_file_to_keep_and_its_reason_is_written_first(sqlite_rig: Rig, there: Traffic) -> None:
    """J3: the reason and the reading are one event; nothing is ever shown on a page."""
    browser = sqlite_rig.signed_in("responsable", Role.OPERATOR, payloads=True)
    form = browser.get(f"/messages/{TRACE}/contenu")
    assert "1850578006048" not in form.text
    assert browser.post(f"/messages/{TRACE}/contenu", raison="court").status_code == 422
    assert _reasons(sqlite_rig) == []
    given = browser.post(f"/messages/{TRACE}/contenu", raison="réclamation de la caisse, dossier 12")
    assert given.content == CONTENT
    assert given.headers["content-type"] == "application/octet-stream"
    assert given.headers["content-disposition"] == f'attachment; filename="{TRACE}-recu.bin"'
    assert given.headers["x-content-type-options"] == "nosniff"
    hexadecimal = browser.post(f"/messages/{TRACE}/contenu", raison="contrôle de la caisse", hexa="true")
    assert bytes.fromhex(hexadecimal.text) == CONTENT
    assert _reasons(sqlite_rig) == ["réclamation de la caisse, dossier 12", "contrôle de la caisse"]
    unreadable = browser.post(f"/messages/{TRACE}/contenu", raison="contrôle de la caisse", quoi="fichier")
    assert unreadable.status_code == 422


@pytest.mark.parametrize(
    ("asked", "told"),
    [({"tout": "true"}, "tout le journal"), ({"ps": PS}, "choisis"), ({"identifiant": TRACE}, "choisis"),
     ({"depuis": "2026-01-01", "jusqu_a": "2027-01-01"}, "choisis")],
)  # fmt: skip
def test_a_bundle_verifies_on_another_machine(
    sqlite_rig: Rig, there: Traffic, tmp_path: Path, asked: dict[str, str], told: str
) -> None:
    """J2: with the public key only; the export is an event (J3)."""
    seal(sqlite_rig, tmp_path / "journal")
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    browser.get("/export")
    bundle = browser.post("/export", **asked)
    assert bundle.headers["content-type"] == "application/zip"
    (tmp_path / "lot.zip").write_bytes(bundle.content)
    key = tmp_path / "journal" / "journal.pub"
    line = [sys.executable, "-I", verify.__file__, str(tmp_path / "lot.zip"), "--key", str(key)]
    found = subprocess.run(line, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert told in found.stdout
    assert ("consulte", "export", "auditrice") in sqlite_rig.told("consulte")


def test_an_export_that_is_broken_off_leaves_nothing(
    sqlite_rig: Rig, there: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seal(sqlite_rig, tmp_path / "journal")
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    browser.get("/export")
    with browser.http.stream("POST", "/export", data={"csrf": browser.csrf, "tout": "true"}) as begun:
        assert begun.status_code == 200
        assert not list(tmp_path.glob("oct-export-*")), "the file has no name any more"


def test_what_cannot_be_exported_is_said(sqlite_rig: Rig, there: Traffic) -> None:
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    browser.get("/export")
    for asked in (
        {},
        {"tout": "true", "ps": PS},
        {"ps": "000000000"},
        {"depuis": "hier"},
        {"depuis": "2026-11-02", "jusqu_a": "2026-11-01"},
        {"identifiant": "ZZZZZZ-ZZZZZZZZ"},
    ):
        page = browser.post("/export", **asked)
        assert page.status_code == 422, asked
        assert faults(page.text) == []


def test_a_log_with_a_gap_gives_no_bundle_and_says_which_event(sqlite_rig: Rig, there: Traffic, tmp_path: Path) -> None:
    """T1: an event that was taken away is named."""
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    seal(sqlite_rig, tmp_path / "journal")
    with sqlite3.connect(str(sqlite_rig.workshop.store.engine.url.database)) as intruder:
        intruder.execute("DROP TRIGGER events_no_delete")
        intruder.execute("DELETE FROM events WHERE id = 1")
    browser.get("/export")
    page = browser.post("/export", tout="true")
    assert page.status_code == 422
    assert "n° 0 manque" in unescape(page.text)
    for path in ("/journal", "/journal/0"):
        assert "supprimé de la base" in browser.get(path).text


def _reasons(rig: Rig) -> list[str]:
    return [event.data["raison"] for event in rig.events("consulte") if event.outcome == "contenu"]
