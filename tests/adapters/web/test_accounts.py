"""Accounts and tokens, by their owner and by an administrator; each deed is an event of who did it (K2)."""

from __future__ import annotations

import re

import pyotp

from oct.domain.rights import Right, Role
from oct.store.tables import events
from tests.adapters.web.rig import PASSWORD, Browser, Rig

OTHER = "quatre grues sur un toit"


def secret_in(browser: Browser) -> str:
    """What a page shows once."""
    found = re.search(r'class="secret">([^<]+)<', browser.last.text)
    assert found is not None
    return found[1]


def test_an_administrator_opens_changes_and_closes_an_account(rig: Rig) -> None:
    chief = rig.signed_in("chef", Role.ADMINISTRATOR)
    assert chief.post("/comptes", identifiant="Zoe", nom="Zoé  R.", role="auditor").status_code == 200
    zoe = rig.browser("zoe", peer="192.0.2.77")
    assert zoe.sign_in(password=secret_in(chief), code="").status_code == 303
    chief.get("/comptes/zoe")
    assert chief.post("/comptes/zoe", nom="Zoé R.", role="operator", contenus="true").status_code == 303
    assert "opérateur" in chief.get("/comptes/zoe").text
    assert chief.post("/comptes/zoe/fermer").status_code == 303
    assert zoe.get("/premiere-connexion").status_code == 303
    assert rig.told("compte") == [("compte", done, "chef") for done in ("ouvert", "modifie", "ferme")]
    again = chief.post("/comptes", identifiant="zoe", nom="Zoé", role="auditor")
    assert (again.status_code, "déjà pris" in again.text) == (422, True)


def test_the_last_administrator_stays_one(sqlite_rig: Rig) -> None:
    chief = sqlite_rig.signed_in("chef", Role.ADMINISTRATOR)
    chief.get("/comptes/chef")
    assert chief.post("/comptes/chef", nom="Chef", role="auditor").status_code == 422
    assert chief.post("/comptes/chef/fermer").status_code == 422
    sqlite_rig.account("autre", Role.ADMINISTRATOR)
    assert chief.post("/comptes/chef/fermer").status_code == 303


def test_a_lost_telephone_is_forgotten_and_a_lost_password_replaced(sqlite_rig: Rig) -> None:
    """Either ends the sessions that are open."""
    chief, anne = sqlite_rig.signed_in("chef", Role.ADMINISTRATOR), sqlite_rig.signed_in("anne")
    assert chief.post("/comptes/anne/second-facteur").status_code == 303
    assert anne.get("/").status_code == 303
    assert anne.sign_in(code="").status_code == 303
    assert "<svg" in anne.get("/premiere-connexion").text
    assert chief.post("/comptes/anne/mot-de-passe").status_code == 200
    assert anne.sign_in(code="").status_code == 401
    assert anne.sign_in(password=secret_in(chief), code="").status_code == 303


def test_no_account_and_no_right_of_others_is_told(sqlite_rig: Rig) -> None:
    chief = sqlite_rig.signed_in("chef", Role.ADMINISTRATOR)
    for path in ("/comptes/personne", "/comptes/%27%20OR%201=1", "/comptes/" + "a" * 10_000):
        assert chief.get(path).status_code == 404
    assert chief.post("/comptes/personne/fermer").status_code == 404


def test_one_changes_the_password_by_giving_the_old_one(rig: Rig) -> None:
    anne, elsewhere = rig.signed_in("anne"), rig.browser("anne").enter()
    wrong = anne.post("/mon-compte/mot-de-passe", actuel=OTHER, mot_de_passe=OTHER, encore=OTHER)
    assert (wrong.status_code, "actuel" in wrong.text) == (422, True)
    done = anne.post("/mon-compte/mot-de-passe", actuel=PASSWORD, mot_de_passe=OTHER, encore=OTHER)
    assert done.headers["location"] == "/mon-compte?fait=mot-de-passe"
    assert anne.get("/mon-compte").status_code == 200
    assert elsewhere.get("/mon-compte").status_code == 303
    rig.clock.forward(seconds=30)
    assert rig.browser("anne").sign_in(password=OTHER).status_code == 303


def test_a_stolen_session_cannot_try_passwords_for_ever(sqlite_rig: Rig) -> None:
    anne = sqlite_rig.signed_in("anne")
    fields = {"actuel": OTHER, "mot_de_passe": OTHER, "encore": OTHER}
    assert [anne.post("/mon-compte/mot-de-passe", **fields).status_code for _ in range(6)] == [422] * 5 + [429]


def test_one_changes_the_telephone_and_the_old_one_counts_until_then(rig: Rig) -> None:
    anne = rig.signed_in("anne")
    assert anne.post("/mon-compte/second-facteur", actuel=PASSWORD).status_code == 303
    anne.get("/mon-compte/second-facteur")
    telephone = pyotp.TOTP(secret_in(anne).replace(" ", ""))
    rig.browser("anne").enter()
    assert anne.post("/mon-compte/second-facteur/code", code="000000").status_code == 422
    code = telephone.at(rig.clock.now // 1000)
    assert anne.post("/mon-compte/second-facteur/code", code=code).status_code == 303
    rig.clock.forward(seconds=30)
    assert rig.browser("anne").sign_in().status_code == 401
    assert rig.browser("anne").sign_in(code=telephone.at(rig.clock.now // 1000)).status_code == 303


def test_one_ends_one_s_own_sessions_and_nobody_else_s(sqlite_rig: Rig) -> None:
    anne, elsewhere = sqlite_rig.signed_in("anne"), sqlite_rig.browser("anne").enter()
    zoe = sqlite_rig.signed_in("zoe")
    other = re.findall(r'action="/mon-compte/sessions/(\d+)"', anne.get("/mon-compte").text)
    assert len(other) == 1
    assert zoe.post(f"/mon-compte/sessions/{other[0]}").status_code == 422
    assert elsewhere.get("/mon-compte").status_code == 200
    assert anne.post(f"/mon-compte/sessions/{other[0]}").status_code == 303
    assert elsewhere.get("/mon-compte").status_code == 303


def test_a_token_has_the_rights_that_it_and_its_account_both_have(rig: Rig) -> None:
    chief = rig.signed_in("chef", Role.ADMINISTRATOR)
    rig.account("anne", Role.OPERATOR, payloads=True)
    form = {"libelle": "essai", "role": "operator", "jours": 30}
    assert chief.post("/comptes/anne/jetons", **(form | {"role": "auditor"})).status_code == 422
    assert chief.post("/comptes/anne/jetons", **form).status_code == 200
    token = secret_in(chief)
    sign_in = rig.app.state.desk.sign_in
    given = sign_in.identify_token(token)
    assert (given.login, given.rights) == ("anne", {Right.READ_TRACE, Right.ACT})
    assert not given.may_read_payloads
    with rig.workshop.store.read() as conn:
        kept = conn.execute(events.select().where(events.c.kind == "jeton")).mappings().one()
    assert (kept["actor"], token[:12] in kept["data"], token in kept["data"]) == ("chef", True, False)
    chief.post("/comptes/anne", nom="Anne", role="auditor")
    assert sign_in.identify_token(token).rights == {Right.READ_TRACE}
    rig.clock.forward(days=31)
    assert sign_in.identify_token(token) is None


def test_a_token_ends_when_it_is_revoked_or_its_account_closed(sqlite_rig: Rig) -> None:
    chief = sqlite_rig.signed_in("chef", Role.ADMINISTRATOR)
    anne, zoe = sqlite_rig.signed_in("anne"), sqlite_rig.signed_in("zoe")
    one, two = (sqlite_rig.token("anne", Role.OPERATOR) for _ in range(2))
    sign_in = sqlite_rig.app.state.desk.sign_in
    assert zoe.post("/mon-compte/jetons/1").status_code == 422
    assert sign_in.identify_token(one) is not None
    assert anne.post("/mon-compte/jetons/1").status_code == 303
    assert (sign_in.identify_token(one), sign_in.identify_token("oct_" + "0" * 64)) == (None, None)
    assert sign_in.identify_token(two) is not None
    chief.post("/comptes/anne/fermer")
    assert sign_in.identify_token(two) is None


def test_a_token_opens_no_page_of_one_s_account(sqlite_rig: Rig) -> None:
    """It is for programs: whoever finds one cannot make it last."""
    sqlite_rig.account("anne")
    headers = {"Authorization": f"Bearer {sqlite_rig.token('anne', Role.OPERATOR)}"}
    browser = sqlite_rig.browser()
    assert browser.get("/", headers=headers).status_code == 200
    assert browser.get("/mon-compte", headers=headers).status_code == 303
    assert browser.http.post("/mon-compte/jetons/1", headers=headers).status_code == 401
