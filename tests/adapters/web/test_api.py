"""The HTTP API: who may call what, that each call is an event, and what bad input gets (issue 5, J1 to J3, K1, K2)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from jsonschema_rs import Draft202012Validator

from oct.domain.journey import MessageState
from oct.domain.rights import RIGHTS, Right, Role
from oct.steps.register.accounts import account_named, close_account, revoke_token
from oct.store import sessions
from oct.trace import verify
from oct.web.api import application, exports
from tests.adapters.store.arrivals import arrive
from tests.adapters.web.rig import Rig, console
from tests.adapters.web.traffic import ANSWER, CONTENT, PS, TRACE, Traffic, play, seal

BASE = "/api/v1"
REFUSAL = {"raison": "Caisse inconnue, voir le PS."}
WHY = {"raison": "Contrôle demandé par la caisse.", "objet": "recu"}
ACCOUNT = {"identifiant": "paul", "nom": "Paul Invente", "role": "operator"}

CALLS: tuple[tuple[str, str, Right, object], ...] = (
    ("GET", "/etat", Right.READ_TRACE, None),
    ("GET", "/recherche?q={trace}", Right.READ_TRACE, None),
    ("GET", "/messages", Right.READ_TRACE, None),
    ("GET", "/messages?ps={ps}&jour=2026-12-31", Right.READ_TRACE, None),
    ("GET", "/messages/{trace}", Right.READ_TRACE, None),
    ("GET", "/messages/{answer}", Right.READ_TRACE, None),
    ("GET", "/lots", Right.READ_TRACE, None),
    ("GET", "/lots?etat=paid&ps={ps}", Right.READ_TRACE, None),
    ("GET", "/lots/{lot}", Right.READ_TRACE, None),
    ("GET", "/lots/{lot}/factures", Right.READ_TRACE, None),
    ("GET", "/factures/1", Right.READ_TRACE, None),
    ("GET", "/envois", Right.READ_TRACE, None),
    ("GET", "/envois?assureur={insurer}", Right.READ_TRACE, None),
    ("GET", "/envois/{sent}", Right.READ_TRACE, None),
    ("GET", "/retours", Right.READ_TRACE, None),
    ("GET", "/retours/{returned}", Right.READ_TRACE, None),
    ("GET", "/retenues", Right.READ_TRACE, None),
    ("GET", "/retenues?closes=true", Right.READ_TRACE, None),
    ("GET", "/retenues/{hold}", Right.READ_TRACE, None),
    ("GET", "/praticiens", Right.READ_TRACE, None),
    ("GET", "/praticiens/{ps}", Right.READ_TRACE, None),
    ("GET", "/assureurs", Right.READ_TRACE, None),
    ("GET", "/assureurs/{insurer}", Right.READ_TRACE, None),
    ("GET", "/certificats", Right.READ_TRACE, None),
    ("GET", "/journal", Right.READ_TRACE, None),
    ("GET", "/journal/0", Right.READ_TRACE, None),
    ("GET", "/journal/tetes", Right.READ_TRACE, None),
    ("GET", "/journal/tetes/1", Right.READ_TRACE, None),
    ("GET", "/acces", Right.ADMINISTER, None),
    ("GET", "/comptes", Right.ADMINISTER, None),
    ("GET", "/comptes/chef", Right.ADMINISTER, None),
    ("GET", "/comptes/chef/jetons", Right.ADMINISTER, None),
    ("POST", "/messages/{trace}/contenu", Right.READ_PAYLOADS, WHY),
    ("POST", "/export", Right.EXPORT_PROOF, {"tout": True}),
    ("POST", "/retours/{returned}/renvoi", Right.ACT, {}),
    ("POST", "/retenues/{hold}/liberation", Right.ACT, None),
    ("POST", "/retenues/{hold}/adressage", Right.ACT, {"assureur": "01/422/999"}),
    ("POST", "/retenues/{hold}/attribution", Right.ACT, {"ps": PS}),
    ("POST", "/retenues/{hold}/refus", Right.ACT, REFUSAL),
    ("POST", "/comptes", Right.ADMINISTER, ACCOUNT),
    ("PATCH", "/comptes/paul", Right.ADMINISTER, {"role": "auditor"}),
    ("POST", "/comptes/paul/mot-de-passe", Right.ADMINISTER, None),
    ("DELETE", "/comptes/paul/second-facteur", Right.ADMINISTER, None),
    ("POST", "/comptes/paul/jetons", Right.ADMINISTER, {"libelle": "essai", "role": "auditor", "jours": 3}),
    ("DELETE", "/comptes/paul/jetons/{token}", Right.ADMINISTER, None),
    ("DELETE", "/comptes/paul", Right.ADMINISTER, None),
)


class Program:
    """A program that carries a token; without one, nobody."""

    def __init__(self, rig: Rig, there: Traffic, token: str = "") -> None:
        self._http = rig.browser().http
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.names = {
            "trace": TRACE, "answer": ANSWER, "ps": PS, "lot": there.lots[0], "insurer": there.insurer,
            "sent": there.sent, "returned": there.returned, "hold": there.hold, "token": 2,
        }  # fmt: skip

    def call(self, method: str, path: str, body: object = None, **options: Any) -> Response:
        """One call; names in braces stand for what there is."""
        headers = {**self._headers, **options.pop("headers", {})}
        given: dict[str, Any] = {} if body is None else {"json": body}
        return self._http.request(method, BASE + path.format(**self.names), headers=headers, **given, **options)

    def get(self, path: str, **params: Any) -> Response:
        """A reading; `path` as it is."""
        return self._http.get(BASE + path, headers=self._headers, params=params or None)


@pytest.fixture
def there(sqlite_rig: Rig, tmp_path: Path) -> Traffic:
    """Traffic of every kind, sealed."""
    played = play(sqlite_rig)
    seal(sqlite_rig, tmp_path / "journal")
    return played


def program(rig: Rig, there: Traffic, role: Role, *, payloads: bool = False) -> Program:
    """A program of a new account of this role."""
    login = {Role.AUDITOR: "auditrice", Role.OPERATOR: "operatrice", Role.ADMINISTRATOR: "chef"}[role]
    rig.account(login, role, payloads=payloads)
    return Program(rig, there, rig.token(login, role, payloads=payloads))


def problem(answer: Response, status: int) -> dict[str, Any]:
    """What a refusal says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert set(said) == {"type", "title", "status", "detail", "code", "erreurs"}
    return said


def test_the_table_above_holds_every_call_of_the_description(sqlite_rig: Rig, there: Traffic) -> None:
    described = Program(sqlite_rig, there).get("/openapi.json").json()["paths"]
    calls = {(method.upper(), path) for path, methods in described.items() for method in methods}
    told = set()
    for method, path, _, _ in CALLS:
        bare = path.partition("?")[0]
        told.add(next(one for one in calls if one[0] == method and _shape(one[1], bare)))
    assert told == calls


def _shape(template: str, path: str) -> bool:
    """Whether a path is one of a template, fixed parts first."""
    left, right = template.split("/"), path.split("/")
    fixed = path in {"/journal/tetes", "/comptes"}
    return len(left) == len(right) and all(
        a == b or (a.startswith("{") and not fixed) for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_call_what_its_rights_give_and_no_more(sqlite_rig: Rig, there: Traffic, role: Role) -> None:
    """H9: no data without rights; what was refused is an event."""
    caller, refused = program(sqlite_rig, there, role), 0
    for method, path, right, body in CALLS:
        answer = caller.call(method, path, body)
        if right in RIGHTS[role]:
            assert answer.status_code not in {401, 403, 500}, (path, answer.text)
        else:
            assert problem(answer, 403)["code"] == "droit-absent", path
            refused += 1
    assert len(sqlite_rig.told("acces")) == refused


def test_each_call_is_an_event_of_its_token_and_none_shows_a_payload(rig: Rig, tmp_path: Path) -> None:
    """J3: who, by which token; on both databases."""
    there = play(rig)
    seal(rig, tmp_path / "journal")
    caller = program(rig, there, Role.ADMINISTRATOR, payloads=True)
    for method, path, right, body in CALLS:
        before = len(rig.events("consulte"))
        answer = caller.call(method, path, body)
        expected = 422 if path.endswith(("/liberation", "/adressage", "/attribution")) else 200
        assert answer.status_code in {expected, 201, 204}, (path, answer.text)
        looks = rig.events("consulte")[before:]
        assert [one.actor for one in looks] == ["chef"], path
        assert looks[0].data["page"].startswith("/api/v1/"), path
        assert looks[0].data["jeton"].startswith("oct_"), path
        assert looks[0].data["libelle"] == "essai", path
        if right is not Right.READ_PAYLOADS:
            assert b"1850578006048" not in answer.content, path


def test_a_claim_is_followed_from_its_invoice_to_its_payment(sqlite_rig: Rig, there: Traffic) -> None:
    """J1: the whole story, both directions."""
    caller = program(sqlite_rig, there, Role.AUDITOR)
    (found,) = caller.get("/recherche", q=f"{PS}/1").json()["factures"]
    assert found["lot"]["etat_en_clair"] == "payé"
    story = caller.get(f"/messages/{found['lot']['suivi']}").json()
    assert [lot["etat"] for lot in story["lots"]] == ["paid", "unanswered", "held"]
    assert story["lots"][0]["factures"] == ["000000001"]
    assert [one["genre"] for one in story["retours"]] == ["RSP"]
    assert story["retours"][0]["suivi"] == ANSWER
    assert story["retours"][0]["lots"] == [
        {"lot_id": there.lots[0], "issue": "paid", "code": "", "libelle": "Payé"}
    ]  # fmt: skip
    assert {one["etat"] for one in story["envois"]} == {"delivered", "waiting"}
    assert story["evenements"][0]["quoi"] == "recu"
    assert caller.get(f"/lots/{there.lots[0]}").json()["retours"] == [there.returned]


def test_a_proof_can_be_made_again_from_what_is_answered(sqlite_rig: Rig, there: Traffic) -> None:
    """J2: the line, its leaf, the path to the root of the head."""
    proof = program(sqlite_rig, there, Role.AUDITOR).get("/journal/0").json()["preuve"]
    leaf = verify.leaf_hash(proof["ligne"].encode())
    path, head = [bytes.fromhex(one) for one in proof["chemin"]], proof["tete"]
    assert leaf.hex() == proof["feuille"]
    assert verify.is_included(leaf, 0, head["taille"], bytes.fromhex(head["racine"]), path)
    assert proof["verifiee"] is True


def test_nobody_comes_in_without_a_token_that_counts(sqlite_rig: Rig, there: Traffic) -> None:
    """Absent, unknown, expired, revoked, of a closed account, in another scheme: one and the same answer."""
    for login in ("chef", "partie"):
        sqlite_rig.account(login, Role.ADMINISTRATOR)
    short = sqlite_rig.token("chef", Role.ADMINISTRATOR, lasts=1)
    revoked, closed = (sqlite_rig.token(login, Role.ADMINISTRATOR) for login in ("chef", "partie"))
    good = sqlite_rig.token("chef", Role.ADMINISTRATOR)
    now = sqlite_rig.clock.now
    with sqlite_rig.workshop.store.begin() as conn:
        of_chef = sessions.tokens(conn, account_named(conn, "chef").id)
        revoke_token(conn, of_chef[1].id, now=now, actor="essai")
        close_account(conn, account_named(conn, "partie"), now=now, actor="essai")
    sqlite_rig.clock.forward(seconds=1)
    bodies = set()
    for token in ("", short, revoked, closed, "oct_" + "0" * 64, f"{good}x", "a" * 10_000):
        for method, path, _, body in CALLS if not token else CALLS[:: len(CALLS) // 4]:
            answer = Program(sqlite_rig, there, token).call(method, path, body)
            assert problem(answer, 401)["code"] == "jeton-absent"
            assert answer.headers["www-authenticate"] == "Bearer"
            bodies.add(answer.content)
    for scheme in (f"Basic {good}", good, f"Bearer{good}", b"Bearer \xe9"):
        answer = Program(sqlite_rig, there).call("GET", "/messages", headers={"Authorization": scheme})
        bodies.add(answer.content)
    assert len(bodies) == 1
    assert sqlite_rig.told("consulte", "acces") == []
    one, others = sqlite_rig.turned_away()
    assert (one.outcome, one.data["statut"], one.data["motif"]) == ("refuse", 401, "jeton-absent")
    assert (others.outcome, others.data["adresse"]) == ("autres", one.data["adresse"])
    assert all(token not in str(one.data) + str(others.data) for token in (short, revoked, closed, good))
    assert Program(sqlite_rig, there, good).get("/messages").status_code == 200


def test_a_session_of_the_console_opens_nothing_here(sqlite_rig: Rig, there: Traffic) -> None:
    """No cookie counts, so nothing a browser adds by itself does anything."""
    browser = sqlite_rig.signed_in("operatrice")
    assert browser.http.get(f"{BASE}/messages").status_code == 401
    decided = browser.http.post(
        f"{BASE}/retenues/{there.hold}/refus", json=REFUSAL, headers={"X-CSRF-Token": browser.csrf}
    )
    assert decided.status_code == 401
    answer = browser.http.get(f"{BASE}/openapi.json")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


def test_a_token_has_no_right_that_its_account_has_lost(sqlite_rig: Rig, there: Traffic) -> None:
    """And an account's right to payloads does not go into a token that was made without it."""
    sqlite_rig.account("chef", Role.ADMINISTRATOR, payloads=True)
    plain = Program(sqlite_rig, there, sqlite_rig.token("chef", Role.AUDITOR))
    assert plain.call("POST", "/messages/{trace}/contenu", WHY).status_code == 403
    assert plain.get("/acces").status_code == 403
    full = Program(sqlite_rig, there, sqlite_rig.token("chef", Role.ADMINISTRATOR, payloads=True))
    assert full.call("POST", "/messages/{trace}/contenu", WHY).content == CONTENT
    sqlite_rig.account("cheffe", Role.ADMINISTRATOR)
    assert full.call("PATCH", "/comptes/chef", {"role": "auditor", "contenus": False}).status_code == 200
    assert full.get("/acces").status_code == 403
    assert full.call("POST", "/messages/{trace}/contenu", WHY).status_code == 403


HOSTILE = [
    "' OR 1=1 --", '"><script>alert(1)</script>', "%", "_", "*", "A" * 10_000, "é" * 40, "🙂", "\u202e", "<>",
    "1850578006048", "DUPONT Jeanne", "9" * 19, "9" * 400, "{{7*7}}", "1;DROP TABLE lots", "٣",
]  # fmt: skip


def test_a_hostile_identifier_gets_a_clear_refusal(sqlite_rig: Rig, there: Traffic) -> None:
    """Bad input: quotes, markup, wildcards, length; never said again."""
    caller = program(sqlite_rig, there, Role.ADMINISTRATOR)
    for noun in ("messages", "praticiens", "comptes", "lots", "journal", "journal/tetes"):
        unknown = caller.get(f"/{noun}/999").content
        for asked in HOSTILE:
            answer = caller.get(f"/{noun}/" + "".join(f"%{one:02X}" for one in asked.encode()))
            assert answer.status_code in {404, 422}, (noun, asked)
            if answer.status_code == 404:
                assert answer.content == unknown, (noun, asked)
            assert asked not in answer.text or len(asked) < 3, (noun, asked)
            told = sqlite_rig.events("consulte")[-1]
            assert (told.outcome, told.data["page"]) == ("vain", f"/api/v1/{noun}/…"), (noun, asked)
        problem(caller.get(f"/{noun}/%00"), 400)


def test_whatever_is_searched_gets_an_answer_and_leaves_no_name(sqlite_rig: Rig, there: Traffic) -> None:
    """J4: what leads nowhere is not written down."""
    caller = program(sqlite_rig, there, Role.AUDITOR)
    for asked in HOSTILE:
        answer = caller.get("/recherche", q=asked)
        assert answer.status_code == 200, asked
        told = sqlite_rig.events("consulte")[-1]
        assert told.outcome == "recherche"
        assert asked not in told.data.values()
    problem(caller.get("/recherche", q="nul\0"), 400)
    assert problem(caller.get("/recherche"), 422)["erreurs"] == [{"champ": "q", "raison": "Valeur absente."}]


def test_what_is_wrong_is_named_in_french(sqlite_rig: Rig, there: Traffic) -> None:
    caller = program(sqlite_rig, there, Role.ADMINISTRATOR)
    for path, field, reason in (
        ("/lots?etat=zut", "etat", "Attendu : "), ("/lots?assureur=x", "assureur", "Nombre entier attendu."),
        ("/lots?suite=zut", "suite", "Forme incorrecte."), ("/lots?autre=1", "autre", "Champ inconnu."),
        ("/lots/0", "ident", "Au moins 1."), (f"/lots/{2**63}", "ident", "Trop grand."),
        ("/lots?ps=" + "9" * 21, "ps", "20 signes au plus."), ("/retenues?closes=oui!", "closes", "true ou false"),
    ):  # fmt: skip
        (fault,) = problem(caller.get(path), 422)["erreurs"]
        assert fault["champ"] == field, path
        assert fault["raison"].startswith(reason), path
    bodies: list[object] = [
        {},
        {"raison": "non"},
        {"raison": "une\nraison"},
        {"raison": "nul\0 part"},
        [],
        {"raison": 5},
    ]
    for body in bodies:
        problem(caller.call("POST", "/retenues/{hold}/refus", body), 422)
    said = problem(caller.call("POST", "/retenues/{hold}/refus", {"raison": "NIR 1 85 05 78 006 048 42"}), 422)
    assert said["code"] == "raison"
    assert "850578" not in str(said)
    assert problem(caller.get("/messages?jour=2026-02-30"), 422)["detail"] == "Date attendue : AAAA-MM-JJ."
    assert problem(caller.get("/lots?etat=paid&suite=1"), 404)["code"] == "inconnu"
    assert caller.call("POST", "/export", {"identifiant": "x" * 2_000_000}).status_code == 413


def test_what_is_of_somebody_else_or_of_nobody_answers_alike(sqlite_rig: Rig, there: Traffic) -> None:
    """Ids of others: none may leak."""
    caller = program(sqlite_rig, there, Role.ADMINISTRATOR)
    sqlite_rig.account("paul", Role.OPERATOR)
    sqlite_rig.token("paul", Role.OPERATOR)
    bodies = {
        problem(caller.call("DELETE", "/comptes/chef/jetons/2"), 404)["detail"],
        problem(caller.call("DELETE", "/comptes/paul/jetons/999"), 404)["detail"],
        problem(caller.call("DELETE", "/comptes/personne/jetons/1"), 404)["detail"],
        problem(caller.call("PATCH", "/comptes/personne", {"nom": "X"}), 404)["detail"],
        problem(caller.get("/nulle-part"), 404)["detail"],
    }
    for noun in ("messages/ZZZZZZ-ZZZZZZZZ", "lots/999", "factures/999", "envois/999", "retours/999", "retenues/999",
                 "praticiens/000000000", "assureurs/999", "journal/999", "journal/tetes/999"):  # fmt: skip
        bodies.add(problem(caller.get(f"/{noun}"), 404)["detail"])
    assert bodies == {"Rien n'existe sous cette adresse."}
    with sqlite_rig.workshop.store.read() as conn:
        assert all(one.revoked_at is None for one in sessions.tokens(conn))


def test_a_hold_is_decided_once_and_the_decision_is_its_owners(sqlite_rig: Rig, there: Traffic) -> None:
    """K2."""
    caller = program(sqlite_rig, there, Role.OPERATOR)
    done = caller.call("POST", "/retenues/{hold}/refus", REFUSAL).json()
    assert (done["decision"], done["lots"][0]["etat"]) == ("refuse", "refused_here")
    assert ("decision", "refuse", "operatrice") in sqlite_rig.told("decision")
    assert problem(caller.call("POST", "/retenues/{hold}/refus", REFUSAL), 409)["code"] == "deja-decide"


def test_a_return_is_sent_again_and_never_to_somebody_else(sqlite_rig: Rig, there: Traffic) -> None:
    """R6, H7."""
    caller = program(sqlite_rig, there, Role.OPERATOR)
    path = "/retours/{returned}/renvoi"
    problem(caller.call("POST", path, {"adresse": "01422@422.01.rss.test"}), 422)
    problem(caller.call("POST", path, {"adresse": "pas une adresse"}), 422)
    assert caller.call("POST", path, {}).json() == {"id": there.returned, "issue": "envoye"}
    assert caller.call("POST", path, {}).json()["issue"] == "attend"
    assert ("decision", "renvoye", "operatrice") in sqlite_rig.told("decision")


def test_a_payload_asks_for_a_reason_that_is_written_first(sqlite_rig: Rig, there: Traffic) -> None:
    """J3."""
    caller = program(sqlite_rig, there, Role.AUDITOR, payloads=True)
    problem(caller.call("POST", "/messages/{trace}/contenu", {"raison": "court"}), 422)
    problem(caller.call("POST", "/messages/{trace}/contenu", {"raison": " " * 20}), 422)
    assert {event.outcome for event in sqlite_rig.events("consulte")} == {"vain"}
    answer = caller.call("POST", "/messages/{trace}/contenu", WHY)
    assert answer.content == CONTENT
    *_, told = sqlite_rig.events("consulte")
    assert (told.outcome, told.data["raison"]) == ("contenu", WHY["raison"])


def test_a_list_goes_on_to_its_end_without_gap_or_repetition(sqlite_rig: Rig, there: Traffic) -> None:
    with sqlite_rig.workshop.store.begin() as conn:
        for number in range(100, 220):
            arrive(conn, number, state=MessageState.PROCESSED)
    caller, seen, cursor = program(sqlite_rig, there, Role.AUDITOR), list[str](), ""
    while True:
        page = caller.get("/messages", **({"suite": cursor} if cursor else {})).json()
        seen += [one["suivi"] for one in page["elements"]]
        cursor = page["suite"] or ""
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 122


def test_a_bundle_verifies_and_one_that_is_broken_off_leaves_nothing(
    sqlite_rig: Rig, there: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J2: with the public key only."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caller = program(sqlite_rig, there, Role.AUDITOR)
    bundle = caller.call("POST", "/export", {"ps": PS, "depuis": "2026-01-01", "jusqu_a": "2027-01-01"})
    assert bundle.headers["content-type"] == "application/zip"
    (tmp_path / "lot.zip").write_bytes(bundle.content)
    line = [sys.executable, "-I", verify.__file__, str(tmp_path / "lot.zip"), "--key"]
    assert subprocess.run([*line, str(tmp_path / "journal" / "journal.pub")], capture_output=True).returncode == 0
    http, headers = sqlite_rig.browser().http, dict(caller._headers)
    with http.stream("POST", f"{BASE}/export", json={"tout": True}, headers=headers) as begun:
        assert begun.status_code == 200
        assert not list(tmp_path.glob("oct-export-*")), "the file has no name any more"
    assert len([one for one in sqlite_rig.events("consulte") if one.outcome == "export"]) == 2
    for asked in ({}, {"tout": True, "ps": PS}, {"ps": "000000000"}, {"depuis": "2026-02-30"}):
        problem(caller.call("POST", "/export", asked), 422)


def test_what_is_too_much_at_once_is_put_off(
    sqlite_rig: Rig, there: Traffic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sqlite_template: Path
) -> None:
    """H2: one bundle at a time; so many calls at once from one address."""
    caller = program(sqlite_rig, there, Role.AUDITOR)
    with exports._TURN:
        busy = caller.call("POST", "/export", {"tout": True})
    assert problem(busy, 503)["code"] == "occupe"
    assert busy.headers["retry-after"] == "5"
    monkeypatch.setattr(application, "_PER_ADDRESS", 0)
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'autre.db')}"
    with console(tmp_path / "autre", url) as full:
        crowd = full.browser().http.get(f"{BASE}/openapi.json")
    assert problem(crowd, 429)["code"] == "trop-de-demandes"
    assert crowd.headers["retry-after"] == "1"


@pytest.fixture
def description(sqlite_rig: Rig) -> dict[str, Any]:
    found: dict[str, Any] = sqlite_rig.browser().http.get(f"{BASE}/openapi.json").json()
    return found


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every call, with its path."""
    for path, methods in description["paths"].items():
        for one in methods.values():
            yield path, one


def test_the_description_names_every_call_its_right_and_its_refusals(description: dict[str, Any]) -> None:
    names = [one["operationId"] for _, one in operations(description)]
    assert len(set(names)) == len(names)
    for path, one in operations(description):
        assert one["security"] == [{"jeton": []}], path
        assert one["summary"], path
        assert one["tags"], path
        assert {"400", "401", "403", "404", "422", "429", "500", "503"} <= set(one["responses"]), path
    for name, schema in description["components"]["schemas"].items():
        assert schema.get("additionalProperties") is False or "enum" in schema, name
        for field, told in schema.get("properties", {}).items():
            assert "description" in told or "$ref" in told or "anyOf" in told, f"{name}.{field}"


def test_every_example_of_the_description_is_what_its_schema_says(description: dict[str, Any]) -> None:
    seen = 0
    for path, one in operations(description):
        contents = [answer.get("content", {}) for answer in one["responses"].values()]
        for content in (*contents, one.get("requestBody", {}).get("content", {})):
            if "application/json" in content:
                told = content["application/json"]
                schema = {**told["schema"], "components": description["components"]}
                assert Draft202012Validator(schema).is_valid(told["example"]), path
                seen += 1
    assert seen >= 45


def test_a_failure_says_nothing_of_itself(sqlite_rig: Rig, there: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """No trace, no name of a file, a table or an exception leaves."""
    caller = program(sqlite_rig, there, Role.AUDITOR)

    def surprise(*_: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr("oct.web.api.overview.overview", surprise)
    said = problem(caller.get("/etat"), 500)
    assert said["code"] == "http-500"
    assert "secret" not in str(said)
