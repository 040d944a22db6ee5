"""`oct users`: accounts of the console and tokens of the API; what opens one is printed once (K2, H9)."""

from __future__ import annotations

import re

from oct.store import accounts, sessions
from oct.store.tables import events
from tests.adapters.cli.desk import Office


def test_an_account_is_opened_changed_listed_and_closed(office: Office) -> None:
    opened = office("users", "add", "anne", "--role", "auditor", "--name", "Anne  R.")
    assert re.fullmatch(r"Compte anne ouvert : mot de passe \w{4}(-\w{4}){3} \(montré .*\)\.\n", opened.out)
    assert office("users", "add", "chef", "--role", "administrator", "--payloads").code == 0
    assert office("users", "set", "anne", "--role", "operator", "--payloads").code == 0
    (anne, chef) = office("users", "list", "--json").json
    assert (anne["nom"], anne["role"], anne["contenus"], anne["etat"]) == ("Anne R.", "operator", True, "à activer")
    assert (chef["identifiant"], chef["contenus"]) == ("chef", True)
    assert office("users", "close", "anne").code == 0
    assert office("users", "show", "anne", "--json").json["etat"] == "fermé"
    with office.database() as conn:
        told = conn.execute(events.select().where(events.c.kind == "compte").order_by(events.c.id)).mappings().all()
    assert [one["outcome"] for one in told] == ["ouvert", "ouvert", "modifie", "ferme"]
    assert all(one["actor"].startswith("cli:") for one in told)


def test_a_new_one_time_password_and_a_forgotten_telephone(office: Office) -> None:
    office("users", "add", "anne", "--role", "auditor")
    with office.database() as conn:
        before = accounts.by_login(conn, "anne")
    changed = office("users", "set", "anne", "--password", "--forget-factor")
    found = re.search(r"Mot de passe (\S+) ", changed.out)
    assert before is not None
    assert found is not None
    with office.database() as conn:
        after = accounts.by_login(conn, "anne")
    assert after is not None
    assert after.password != before.password
    assert found[1] not in str(after)


def test_a_token_is_printed_once_listed_by_its_prefix_and_revoked(office: Office) -> None:
    office("users", "add", "anne", "--role", "operator")
    made = office("users", "token", "add", "anne", "--label", "supervision", "--days", "30")
    found = re.search(r"oct_[0-9a-f]{64}", made.out)
    assert found is not None
    (one,) = office("users", "token", "list", "anne", "--json").json
    assert (one["jeton"], one["role"], one["etat"]) == (f"{found[0][:12]}…", "operator", "valable")
    assert office("users", "token", "revoke", str(one["id"])).code == 0
    assert office("users", "token", "list", "--json").json[0]["etat"] == "révoqué"
    assert office("users", "token", "revoke", str(one["id"])).code == 1
    with office.database() as conn:
        assert [kept.prefix for kept in sessions.tokens(conn)] == [found[0][:12]]


def test_what_cannot_be_is_said_in_one_line(office: Office) -> None:
    office("users", "add", "chef", "--role", "administrator")
    for line, said in (
        (("add", "chef", "--role", "auditor"), "déjà pris"),
        (("add", "Chéf", "--role", "auditor"), "minuscules"),
        (("set", "personne", "--role", "auditor"), "Aucun compte"),
        (("close", "chef"), "dernier administrateur"),
        (("set", "chef", "--role", "operator"), "dernier administrateur"),
        (("token", "add", "chef", "--label", "x", "--payloads"), "plus de droits"),
        (("token", "revoke", "99"), "Aucun jeton"),
    ):
        result = office("users", *line)
        assert (result.code, said in result.err, result.err.count("\n")) == (1, True, 1), result
