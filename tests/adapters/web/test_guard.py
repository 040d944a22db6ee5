"""What stands around every page (H9): rights, forged forms, headers, names, sizes, failures that say nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi import APIRouter
from structlog.testing import capture_logs

from oct.domain.rights import RIGHTS, Right, Role, rights_of
from oct.errors import StoreError
from oct.web.desk import WebRules
from tests.adapters.web.rig import Rig, console

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def test_reading_a_payload_is_in_no_role() -> None:
    for role in Role:
        assert Right.READ_PAYLOADS not in RIGHTS[role] | rights_of(role, payloads=False)
        assert Right.READ_PAYLOADS in rights_of(role, payloads=True)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR])
def test_who_has_no_right_is_refused_and_the_trace_says_so(rig: Rig, role: Role) -> None:
    browser = rig.signed_in("anne", role)
    answer = browser.get("/comptes")
    assert answer.status_code == 403
    assert "n&#39;a pas le droit" in answer.text
    assert rig.told("acces") == [("acces", "refuse", "anne")]
    assert "/comptes" not in browser.get("/mon-compte").text


def test_what_was_typed_into_an_address_is_in_no_event_of_a_refusal(sqlite_rig: Rig) -> None:
    """J4: it may be an NIR or a name; our own numbers stay."""
    browser = sqlite_rig.signed_in("anne", Role.OPERATOR)
    for typed in ("1850578006048", "185057800604824", "DUPONT Jeanne", "1850578 006048"):
        assert browser.get(f"/comptes/{typed}").status_code == 403
    assert browser.get("/comptes/12").status_code == 403
    pages = [event.data["page"] for event in sqlite_rig.events("acces")]
    assert pages == ["/comptes/…"] * 4 + ["/comptes/12"]


def test_the_menu_shows_what_one_may_do(sqlite_rig: Rig) -> None:
    page = sqlite_rig.signed_in("anne", Role.ADMINISTRATOR).get("/mon-compte").text
    assert 'href="/comptes"' in page
    assert "administrateur" in page


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_forged_form_changes_nothing(sqlite_rig: Rig, token: str) -> None:
    browser = sqlite_rig.signed_in("anne", Role.ADMINISTRATOR)
    fields = {"identifiant": "intrus", "nom": "Intrus", "role": "administrator"}
    assert browser.post("/comptes", **(fields | {"csrf": token})).status_code == 403
    assert "intrus" not in browser.get("/comptes").text


def test_a_form_of_another_session_is_forged(sqlite_rig: Rig) -> None:
    """Also at sign-in: nobody is signed in as somebody else unawares."""
    other = sqlite_rig.signed_in("zoe")
    browser = sqlite_rig.browser("anne")
    browser.get("/connexion")
    browser.csrf = other.csrf
    assert browser.post("/connexion", identifiant="anne", mot_de_passe="x", code="").status_code == 403
    without = sqlite_rig.browser("anne")
    assert without.post("/connexion", identifiant="anne", mot_de_passe="x", code="").status_code == 403


def test_a_script_of_the_console_gives_the_token_in_a_header(sqlite_rig: Rig) -> None:
    browser = sqlite_rig.signed_in("anne")
    answer = browser.http.post("/deconnexion", headers={"X-CSRF-Token": browser.csrf})
    assert answer.headers["location"] == "/connexion"


def test_every_answer_has_the_headers(sqlite_rig: Rig) -> None:
    browser = sqlite_rig.signed_in("anne")
    for path in ("/", "/mon-compte", "/connexion", "/rien", "/health", "/static/console.css", "/comptes"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"].startswith("max-age=")
        assert headers["cache-control"] == ("public, max-age=3600" if path.startswith("/static") else "no-store")


def test_the_cookie_is_for_this_host_alone_and_for_no_script(sqlite_rig: Rig) -> None:
    secured = sqlite_rig.browser().get("/connexion").headers["set-cookie"]
    assert secured.startswith("__Host-oct=")
    assert {"HttpOnly", "SameSite=strict", "Secure", "Path=/"} <= set(secured.split("; "))
    assert "Domain" not in secured
    clear = sqlite_rig.browser(base="http://localhost").get("/connexion")
    assert clear.headers["set-cookie"].startswith("oct=")
    assert "strict-transport-security" not in clear.headers


def test_pages_have_no_script_or_style_of_their_own(sqlite_rig: Rig) -> None:
    """They would not work under the policy."""
    templates = Path(__file__).parents[3] / "oct" / "web" / "templates"
    for page in templates.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "style=" not in text, page
        assert "<style" not in text, page
        assert text.count("<script") == text.count("<script src="), page
        for handler in (" onclick", " onload", " onsubmit", " onchange"):
            assert handler not in text, page


@pytest.mark.parametrize("host", ["pirate.example", "localhost.pirate.example", "", "localhost@pirate.example"])
def test_another_name_is_refused(sqlite_rig: Rig, host: str) -> None:
    answer = sqlite_rig.browser().get("/connexion", headers={"Host": host})
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("host", ["localhost:8443", "LOCALHOST", "[::1]:8443", "[::1]", "127.0.0.1"])
def test_its_own_names_are_known_with_any_port(sqlite_rig: Rig, host: str) -> None:
    assert sqlite_rig.browser().get("/health", headers={"Host": host}).status_code == 200


def test_a_request_too_large_is_refused_whether_it_says_its_size_or_not(tmp_path: Path, sqlite_url: str) -> None:
    rules = WebRules(max_request=1000)
    with console(tmp_path / "oct", sqlite_url, web=rules) as rig:
        browser = rig.browser()
        browser.get("/connexion")
        body = f"csrf={browser.csrf}&identifiant={'a' * 2000}".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        told = browser.http.post("/connexion", content=body, headers=kind)
        untold = browser.http.post("/connexion", content=iter([body[:900], body[900:]]), headers=kind)
        assert (told.status_code, untold.status_code) == (413, 413)
        assert "trop volumineuse" in told.text
        assert "trop volumineuse" in untold.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/rien", 404), ("GET", "/static/../app.py", 404), ("PUT", "/health", 405), ("POST", "/mon-compte", 405)],
)
def test_what_does_not_exist_is_said_in_french(sqlite_rig: Rig, method: str, path: str, status: int) -> None:
    browser = sqlite_rig.signed_in("anne")
    answer = browser.http.request(method, path, headers={"X-CSRF-Token": browser.csrf})
    assert answer.status_code == status
    assert f"Erreur {status}" in answer.text
    assert '<html lang="fr">' in answer.text


def test_a_value_of_another_kind_is_a_page_too(sqlite_rig: Rig) -> None:
    browser = sqlite_rig.signed_in("anne", Role.ADMINISTRATOR)
    answer = browser.post("/comptes", identifiant="x", nom="X", role="<b>roi</b>")
    assert answer.status_code == 422
    assert "roi" not in answer.text


def test_a_surprise_says_nothing_and_is_logged_by_its_type_and_place(sqlite_rig: Rig) -> None:
    """So is a database that is away, as 503; programs get JSON."""
    router = APIRouter()

    @router.get("/api/surprise")
    @router.get("/surprise")
    def surprise() -> None:
        raise ValueError("1 85 05 78 006 084 36 DUPONT")

    @router.get("/absente")
    def away() -> None:
        raise StoreError("base-indisponible", "La base de données ne répond pas.")

    sqlite_rig.app.include_router(router)
    browser = sqlite_rig.browser()
    with capture_logs() as logs:
        page, programs = browser.get("/surprise"), browser.get("/api/surprise")
        missing = browser.get("/absente")
    assert (page.status_code, programs.status_code, missing.status_code) == (500, 500, 503)
    assert page.headers["content-security-policy"] == POLICY
    assert programs.json()["code"] == "http-500"
    assert [one["error"] for one in logs] == ["ValueError", "ValueError"]
    assert "DUPONT" not in page.text + programs.text + json.dumps(logs)


@pytest.mark.parametrize("query", ["/connexion?suite=%00", "/comptes/%00", "/rien%00"])
def test_nul_is_refused_before_any_database_sees_it(rig: Rig, query: str) -> None:
    assert rig.browser().get(query).status_code == 400


def test_values_that_no_database_takes_are_refused(rig: Rig) -> None:
    anne = rig.signed_in("anne")
    assert anne.post("/mon-compte/sessions/99999999999999999999").status_code == 422
    assert anne.post("/mon-compte/sessions/9223372036854775807").status_code == 422
    browser = rig.browser()
    browser.get("/connexion")
    for login in ("a\0b", "a" * 10_000, "a\nb"):
        assert browser.post("/connexion", identifiant=login, mot_de_passe="x").status_code == 422
    for login in ("' OR 1=1 --", "%", "<script>alert(1)</script>", "é" * 200):
        answer = browser.post("/connexion", identifiant=login, mot_de_passe=login, code=login)
        assert (answer.status_code, login in answer.text) == (401, False)
        browser.get("/connexion")
    for cookie in ("é", "a" * 4000, "' OR 1=1"):
        headers = {b"Cookie": f"__Host-oct={cookie}".encode()}
        assert browser.http.get("/mon-compte", headers=headers).status_code == 303
