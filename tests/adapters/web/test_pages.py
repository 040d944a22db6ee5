"""The pages over the traffic: what each shows, to whom, and that each look is an event (J1, J3, K1)."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from oct.domain.rights import Role
from oct.store import events
from oct.store.events import Event
from oct.store.tables import invoices
from tests.adapters.store.arrivals import add_practitioner, arrive
from tests.adapters.web.markup import faults
from tests.adapters.web.rig import START, Rig
from tests.adapters.web.traffic import ANSWER, PS, TRACE, Traffic, play, seal


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
        f"/retenues/{there.closed_hold}", "/praticiens", f"/praticiens/{PS}", "/assureurs",
        f"/assureurs/{there.insurer}", "/certificats", "/journal", "/journal/0", "/journal/tetes", "/journal/tetes/1",
        "/export", "/acces", f"/messages/{TRACE}/contenu", "/comptes", "/comptes/chef",
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
        assert path == "/etat" or faults(page.text) == [], path  # a piece of a page
        looks = rig.told("consulte")[before:]
        assert len(looks) == 1, path
        assert looks[0][2] == "chef"


def test_a_claim_is_followed_from_its_invoice_to_its_payment(sqlite_rig: Rig, tmp_path: Path) -> None:
    """J1: from any one identifier, the whole story, both directions."""
    there = play(sqlite_rig)
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    assert "/factures/1" in browser.get(f"/recherche?q={PS}/1").text
    assert f"/lots/{there.lots[0]}" in browser.get("/factures/1").text
    lot = browser.get(f"/lots/{there.lots[0]}").text
    assert f"/retours/{there.returned}" in lot
    assert TRACE in lot
    story = browser.get(f"/messages/{TRACE}").text
    for said in ("Vers Caisse inventée", "Remis", "RSP", "payé", f"Retenue {there.hold}", ANSWER):
        assert said in story, said
    assert f"/lots/{there.lots[0]}" in browser.get(f"/retours/{there.returned}").text


def test_events_are_told_in_words_and_keep_their_codes(sqlite_rig: Rig, tmp_path: Path) -> None:
    """What an auditor finds in a bundle is on the page too."""
    with sqlite_rig.workshop.store.begin() as conn:
        account = add_practitioner(conn, "991234599")
        done = [Event(START, "traite", "processed", practitioner_id=account, data={"lots": {"3": "paid"}})]
        events.append(conn, [*done, Event(START, "nouveauté", "essai")])
    seal(sqlite_rig, tmp_path)
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    log = browser.get("/journal").text
    for said in ('<td title="traite">traitement</td><td title="processed">traité</td>', "lots 3 payé",
                 '<td title="nouveauté">nouveauté</td>'):  # fmt: skip
        assert said in log, said
    page = browser.get("/journal/0").text
    assert 'traitement <span class="code">(traite)</span>' in page
    assert 'traité <span class="code">(processed)</span>' in page


HOSTILE = [
    "' OR 1=1 --", '"><script>alert(1)</script>', "%", "_", "*", "A" * 10_000, "é" * 40, "🙂", "\u202e", "//", "@",
    "<>", "1850578006048", "1 85 05 78 006 048 42", "DUPONT Jeanne", "-404", "0" * 19, "9" * 400, "../../etc/passwd",
    "{{7*7}}",
]  # fmt: skip


def test_whatever_is_searched_gets_a_clear_page_and_leaves_no_name(sqlite_rig: Rig) -> None:
    """Bad input; J4: what leads nowhere is not written down."""
    play(sqlite_rig)
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    for asked in HOSTILE:
        page = browser.get("/recherche", params={"q": asked})
        assert page.status_code == 200, asked
        assert faults(page.text) == [], asked
        assert "<script>alert" not in page.text
        said = unescape(page.text)
        assert "Rien n'est connu" in said or "la forme d'aucun identifiant" in said, asked
        told = _data(sqlite_rig)[-1]
        assert told["outcome"] == "recherche"
        assert set(told["data"]) in ({"page", "signes", "sens", "trouve"}, {"page", "patient", "trouve"})
        assert asked not in told["data"].values()
    assert browser.get("/recherche", params={"q": "nul\0"}).status_code == 400


def test_an_nir_that_is_searched_is_written_down_as_its_pseudonym(sqlite_rig: Rig) -> None:
    """J4: who holds the key still finds who looked for a patient; the pseudonym itself leads to the claims."""
    there = play(sqlite_rig)
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    browser.get("/recherche", params={"q": "1 85 05 78 006 048 42"})
    pseudonym = _data(sqlite_rig)[-1]["data"]["patient"]
    assert pseudonym == sqlite_rig.workshop.pseudonyms.of(b"1850578006048").hex()
    with sqlite_rig.workshop.store.begin() as conn:
        conn.execute(
            invoices.update().where(invoices.c.lot_id == there.lots[0]).values(pseudonym=bytes.fromhex(pseudonym))
        )
    assert "/factures/1" in browser.get("/recherche", params={"q": pseudonym}).text


def test_what_was_found_is_written_down(sqlite_rig: Rig) -> None:
    """J3: what was searched for."""
    play(sqlite_rig)
    sqlite_rig.signed_in("auditrice", Role.AUDITOR).get("/recherche", params={"q": f" {PS}/001 "})
    (told,) = [one for one in _data(sqlite_rig) if one["outcome"] == "recherche"]
    assert told["data"]["cherche"] == f"{PS}/001"


def test_what_does_not_exist_answers_alike_everywhere(sqlite_rig: Rig) -> None:
    """Ids of others, or of nobody: the same page, whatever was asked."""
    play(sqlite_rig)
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    nowhere = browser.get("/messages/ZZZZZZ-ZZZZZZZZ")
    assert nowhere.status_code == 404
    for path in (
        "/messages/x", f"/messages/{'9' * 400}", "/lots/999", "/lots/0", "/lots/-1", "/lots/1e3",
        f"/lots/{2**63}", "/lots/٣", "/lots?etat=zut", "/lots?suite=zut", "/lots?suite=1.2.3", "/retenues/999",
        "/lots?etat=paid&suite=1", "/lots?ps=000000000", "/lots?assureur=x", "/factures/999", "/envois/999",
        f"/lots?suite={'9' * 30}", "/retours/999", "/praticiens/000000000", "/assureurs/999", "/journal/999",
        "/journal/-1",
        "/journal/tetes/999", "/messages?suite=1;DROP TABLE lots",
    ):  # fmt: skip
        page = browser.get(path)
        assert page.status_code == 404, path
        assert _body(page.text) == _body(nowhere.text), path
        told = sqlite_rig.events("consulte")[-1]
        assert (told.outcome, told.actor, told.data["statut"]) == ("vain", "auditrice", 404), path
        assert "DROP" not in str(told.data)


def test_nobody_sees_anything_without_a_session(sqlite_rig: Rig, tmp_path: Path) -> None:
    """No page, no event, no hint."""
    there = play(sqlite_rig)
    seal(sqlite_rig, tmp_path / "journal")
    stranger = sqlite_rig.browser()
    for path in paths(there):
        page = stranger.get(path)
        assert page.status_code == 303, path
        assert page.headers["location"].startswith("/connexion")
        assert page.text == ""
    assert sqlite_rig.told("consulte") == []


def test_no_event_no_page(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """J3: when the look cannot be written down, nothing is shown."""
    play(sqlite_rig)
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    with sqlite_rig.workshop.store.begin() as conn:
        conn.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
        )
    page = browser.get(f"/messages/{TRACE}")
    assert page.status_code == 503
    assert "caisse-inconnue" not in page.text


def test_a_list_stops_at_a_day_and_says_what_a_day_is(sqlite_rig: Rig) -> None:
    play(sqlite_rig)
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    assert TRACE in browser.get("/messages?jour=2026-11-18").text
    assert "Aucun message." in browser.get("/messages?jour=2026-11-17").text
    for day in ("hier", "2026-13-01", "0001-01-01", "9999-12-31"):
        assert browser.get("/messages", params={"jour": day}).status_code in {200, 422}, day
    assert "AAAA-MM-JJ" in browser.get("/messages?jour=hier").text


def test_the_board_refreshes_itself_for_a_while_only(sqlite_rig: Rig) -> None:
    """Or a page that was left open would keep its session open."""
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    path, turns = "/", 0
    while onward := re.search(r'hx-get="([^"]+)"', browser.get(path).text):
        path, turns = onward[1], turns + 1
    assert turns == 20
    assert sqlite_rig.told("consulte") == [("consulte", "page", "auditrice")] * (1 + turns), "each is a look (J3)"


def test_a_list_goes_on_from_where_it_ended(rig: Rig) -> None:
    """Keyset paging: each row once, whatever arrives meanwhile."""
    with rig.workshop.store.begin() as conn:
        for number in range(1, 121):
            arrive(conn, number)
    browser, seen, path = rig.signed_in("auditrice", Role.AUDITOR), [], "/messages"
    while path:
        page = browser.get(path).text
        seen += re.findall(r'href="/messages/(AAAAAA-[0-9]{8})"', page)
        onward = re.search(r'rel="next" href="([^"]+)"', page)
        path = f"/messages{unescape(onward[1])}" if onward else ""
        with rig.workshop.store.begin() as conn:
            arrive(conn, 1000 + len(seen))
    assert seen == [f"AAAAAA-{number:08d}" for number in range(120, 0, -1)]


def _data(rig: Rig) -> list[dict[str, Any]]:
    return [{"outcome": event.outcome, "data": event.data} for event in rig.events("consulte")]


def _body(page: str) -> str:
    """A page without where one stands in the menu."""
    return re.sub(r' aria-current="page"', "", page)
