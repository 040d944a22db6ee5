"""Coming in to the console and going out (H9): passwords, codes, locks, sessions, and what the trace keeps of it."""

from __future__ import annotations

import re
from pathlib import Path

import pyotp
import pytest

from oct.domain.rights import Role
from tests.adapters.web.rig import PASSWORD, Rig

OTHER = "quatre grues sur un toit"


def test_nobody_is_led_to_the_form_and_from_it_back_to_the_page(sqlite_rig: Rig) -> None:
    sqlite_rig.account("anne")
    browser = sqlite_rig.browser("anne")
    assert browser.get("/mon-compte").headers["location"] == "/connexion?suite=/mon-compte"
    page = browser.get("/connexion?suite=/mon-compte")
    assert 'name="suite" value="/mon-compte"' in page.text
    fields = {"identifiant": " Anne ", "mot_de_passe": PASSWORD, "code": browser.code(), "suite": "/mon-compte"}
    assert browser.post("/connexion", **fields).headers["location"] == "/mon-compte"
    assert browser.get("/mon-compte").status_code == 200
    assert sqlite_rig.told("connexion") == [("connexion", "fait", "anne")]


@pytest.mark.parametrize("suite", ["//pirate.example", "https://pirate.example", "/\\pirate.example", "javascript:x"])
def test_the_form_leads_nowhere_else(sqlite_rig: Rig, suite: str) -> None:
    sqlite_rig.account("anne")
    browser = sqlite_rig.browser("anne")
    browser.get("/connexion")
    answer = browser.post("/connexion", identifiant="anne", mot_de_passe=PASSWORD, code=browser.code(), suite=suite)
    assert answer.headers["location"] == "/"


def test_a_wrong_login_password_or_code_gets_the_same_answer(sqlite_rig: Rig) -> None:
    sqlite_rig.account("anne")
    browser = sqlite_rig.browser()
    bodies = set()
    for login, password, code in (("zoe", PASSWORD, None), ("anne", OTHER, None), ("anne", PASSWORD, "000000")):
        answer = browser.sign_in(login, password, code)
        assert answer.status_code == 401
        bodies.add(answer.text)
    assert len(bodies) == 1
    assert sqlite_rig.told("connexion") == [("connexion", "refuse", who) for who in ("", "anne", "anne")]


def test_no_code_serves_twice_nor_an_older_one(rig: Rig) -> None:
    rig.account("anne")
    browser = rig.browser("anne")
    used = browser.code()
    assert browser.sign_in().status_code == 303
    assert rig.browser("anne").sign_in(code=used).status_code == 401
    rig.clock.forward(seconds=30)
    assert rig.browser("anne").sign_in().status_code == 303
    assert rig.browser("anne").sign_in(code=used).status_code == 401


def test_a_code_of_a_neighbouring_step_is_taken_and_none_further(sqlite_rig: Rig) -> None:
    sqlite_rig.account("anne")
    old = sqlite_rig.browser().code()
    sqlite_rig.clock.forward(seconds=30)
    older = old
    sqlite_rig.clock.forward(seconds=30)
    assert sqlite_rig.browser("anne").sign_in(code=older).status_code == 401
    recent = sqlite_rig.browser().code()
    sqlite_rig.clock.forward(seconds=30)
    assert sqlite_rig.browser("anne").sign_in(code=recent).status_code == 303


@pytest.mark.parametrize("login", ["anne", "nobody"])
def test_failures_lock_a_login_for_longer_each_time_whether_it_exists_or_not(rig: Rig, login: str) -> None:
    rig.account("anne")
    for number in range(6):
        assert rig.browser(login, peer=f"192.0.2.{number}").sign_in(password=OTHER).status_code == 401
        if number == 4:
            assert rig.browser(login, peer="192.0.2.99").sign_in().status_code == 429
            rig.clock.forward(seconds=31)
    rig.clock.forward(seconds=31)
    assert rig.browser(login, peer="192.0.2.99").sign_in().status_code == 429
    rig.clock.forward(seconds=31)
    expected = 303 if login == "anne" else 401
    assert rig.browser(login, peer="192.0.2.99").sign_in().status_code == expected
    locks = rig.told("verrou")
    assert len(locks) == (2 if login == "anne" else 3)


def test_failures_lock_an_address_whatever_the_logins(rig: Rig) -> None:
    rig.account("anne")
    for number in range(20):
        assert rig.browser(f"u{number}").sign_in(password=OTHER).status_code == 401
    assert rig.browser("anne").sign_in().status_code == 429
    assert rig.browser("anne", peer="198.51.100.1").sign_in().status_code == 303


def test_a_stranger_who_tries_passwords_does_not_keep_the_owner_out(rig: Rig) -> None:
    """An address that the account is known from answers for itself."""
    rig.signed_in("anne")
    for number in range(9):
        rig.browser("anne", peer=f"203.0.113.{number}").sign_in(password=OTHER)
    assert rig.browser("anne", peer="203.0.113.99").sign_in().status_code == 429
    rig.browser("anne").enter()


def test_the_first_sign_in_chooses_a_password_and_enrols_a_telephone(rig: Rig) -> None:
    rig.account("anne", enrolled=False)
    browser = rig.browser("anne")
    assert browser.sign_in(code="").status_code == 303
    assert browser.get("/").headers["location"] == "/premiere-connexion"
    page = browser.get("/premiere-connexion")
    assert "<svg" in page.text
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', page.text)
    assert found is not None
    telephone = pyotp.TOTP(found[1].replace(" ", ""))
    code = telephone.at(rig.clock.now // 1000)
    wrong = browser.post("/premiere-connexion", mot_de_passe=OTHER, encore=OTHER, code="123456")
    assert (wrong.status_code, browser.get("/").headers["location"]) == (422, "/premiere-connexion")
    for password, again in (("court", "court"), (OTHER, PASSWORD), ("anne anne anne", "anne anne anne")):
        assert browser.post("/premiere-connexion", mot_de_passe=password, encore=again, code=code).status_code == 422
    before = dict(browser.http.cookies)
    assert browser.post("/premiere-connexion", mot_de_passe=OTHER, encore=OTHER, code=code).status_code == 303
    assert dict(browser.http.cookies) != before
    assert browser.get("/").status_code == 200
    rig.clock.forward(seconds=30)
    later = rig.browser("anne")
    assert later.sign_in(code=telephone.at(rig.clock.now // 1000)).status_code == 401
    assert later.sign_in(password=OTHER, code=telephone.at(rig.clock.now // 1000)).status_code == 303


def test_a_one_time_password_serves_for_a_while_only(sqlite_rig: Rig) -> None:
    sqlite_rig.account("anne", enrolled=False)
    sqlite_rig.clock.forward(days=2)
    assert sqlite_rig.browser("anne").sign_in(code="").status_code == 401


def test_a_session_ends_when_it_is_idle_and_at_the_end_of_the_day(rig: Rig) -> None:
    browser = rig.signed_in("anne")
    rig.clock.forward(minutes=31)
    for _ in range(2):
        assert browser.get("/mon-compte").status_code == 303
    assert [event.data["motif"] for event in rig.events("session")] == ["périmée"]
    browser.enter()
    for _ in range(29):
        rig.clock.forward(minutes=24)
        assert browser.get("/mon-compte").status_code == 200
    rig.clock.forward(minutes=25)
    assert browser.get("/mon-compte").status_code == 303


def test_a_stolen_cookie_serves_nobody_at_another_address(rig: Rig) -> None:
    """And its owner must sign in again: somebody has it."""
    browser = rig.signed_in("anne")
    thief = rig.browser(peer="203.0.113.7")
    thief.http.cookies = browser.http.cookies
    assert thief.get("/mon-compte").status_code == 303
    assert browser.get("/mon-compte").status_code == 303
    assert rig.told("session") == [("session", "refuse", "anne")]


def test_signing_in_changes_the_cookie_and_signing_out_ends_it(sqlite_rig: Rig) -> None:
    sqlite_rig.account("anne")
    browser = sqlite_rig.browser("anne")
    browser.get("/connexion")
    before = browser.http.cookies["__Host-oct"]
    browser.sign_in()
    after = browser.http.cookies["__Host-oct"]
    assert before != after
    browser.get("/mon-compte")
    assert browser.post("/deconnexion").headers["location"] == "/connexion"
    browser.http.cookies.set("__Host-oct", after, domain="localhost.local")
    assert browser.get("/mon-compte").status_code == 303
    assert sqlite_rig.told("deconnexion") == [("deconnexion", "fait", "anne")]


def test_signing_in_again_ends_the_session_that_was_open(sqlite_rig: Rig) -> None:
    browser = sqlite_rig.signed_in("anne")
    before = browser.http.cookies["__Host-oct"]
    browser.enter()
    copy = sqlite_rig.browser()
    copy.http.cookies.set("__Host-oct", before, domain="localhost.local")
    assert copy.get("/mon-compte").status_code == 303
    assert browser.get("/mon-compte").status_code == 200


def test_the_database_holds_neither_password_nor_secret_nor_cookie_nor_token(sqlite_rig: Rig) -> None:
    browser = sqlite_rig.signed_in("anne", Role.AUDITOR)
    token = sqlite_rig.token("anne", Role.AUDITOR)
    sqlite_rig.browser("anne").sign_in(password="un mot de passe essayé")
    path = str(sqlite_rig.workshop.store.engine.url.database)
    kept = b"".join(Path(path + end).read_bytes() for end in ("", "-wal"))
    cookie = browser.http.cookies["__Host-oct"]
    for secret in (PASSWORD, "un mot de passe essayé", cookie, token, "0123456789abcdefghij"):
        assert secret.encode() not in kept
