"""`oct ps` on hosted mailboxes: passwords told once, what waits, and who cannot read it yet (R5, H9)."""

from __future__ import annotations

import io
import re

import pytest

from oct.crypto.passwords import verify_password
from oct.store import consignments, mailboxes, payloads, practitioners
from oct.store.practitioners import Mailbox
from tests.adapters.cli.desk import Office
from tests.adapters.store.arrivals import NOW, VAULT, arrive, new_consignment

NUMBER = "421234567"
PS = [NUMBER, "--type", "ER", "--name", "CABINET DU PONT", "--address", "pont@boite.example"]
GIVEN = "une-phrase-longue-42"


def mailbox(office: Office, login: str = NUMBER) -> Mailbox | None:
    with office.database() as conn:
        return practitioners.mailbox(conn, login)


def told(text: str) -> str:
    """The password that a command printed."""
    found = re.search(r"mot de passe ([0-9a-z]{4}(?:-[0-9a-z]{4}){3}) \(montré cette fois seulement\)", text)
    assert found is not None, text
    return found[1]


def test_choosing_the_hosted_mailbox_opens_it_and_tells_its_password_once(office: Office) -> None:
    added = office("ps", "add", *PS, "--return", "boite")
    assert added.code == 0
    password = told(added.out)
    kept = mailbox(office)
    assert kept is not None
    assert verify_password(kept.password, password)
    shown = office("ps", "show", NUMBER)
    assert password not in shown.out
    assert office("ps", "show", NUMBER, "--json").json["boite"] == NUMBER
    again = office("ps", "set", NUMBER, "--return", "boite")
    assert "mot de passe" not in again.out, "it has one already"
    assert mailbox(office) == kept


def test_a_new_password_is_given_by_naming_the_mailbox(office: Office) -> None:
    first = told(office("ps", "add", *PS, "--mailbox", "cabinet").out)
    second = told(office("ps", "set", NUMBER, "--mailbox", "cabinet").out)
    kept = mailbox(office, "cabinet")
    assert kept is not None
    assert first != second
    assert verify_password(kept.password, second)
    assert office("ps", "show", NUMBER, "--json").json["retours"] == "smtp"


def test_a_password_is_read_from_the_standard_input_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """H9: never on the command line, where others see it; never printed."""
    assert office("ps", "add", *PS, "--mailbox-password", GIVEN).code == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GIVEN}\n"))
    added = office("ps", "add", *PS, "--mailbox-password", "-")
    assert (added.code, GIVEN in added.out) == (0, False)
    kept = mailbox(office)
    assert kept is not None
    assert verify_password(kept.password, GIVEN)


@pytest.mark.parametrize("given", ["court", "", "avec un espace dedans", "accentué-très-long"])
def test_a_password_that_a_mail_program_could_not_use_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{given}\n"))
    refused = office("ps", "add", *PS, "--mailbox", "cabinet", "--mailbox-password", "-")
    assert (refused.code, refused.out) == (2, "")
    assert "12 à 128 signes" in refused.err
    assert office("ps", "list", "--json").json == []


def test_a_login_is_one_account_s(office: Office) -> None:
    """P6: and a refused command leaves nothing behind."""
    office("ps", "add", *PS, "--mailbox", "cabinet")
    other = ["015432109", *PS[1:-1], "parc@boite.example"]
    assert office("ps", "add", *other, "--mailbox", "cabinet").code == 1
    assert len(office("ps", "list", "--json").json) == 1
    assert office("ps", "add", *other, "--mailbox", "a b").code == 2


def test_who_is_diverted_without_a_password_is_an_alert_that_says_what_to_do(office: Office) -> None:
    """R5."""
    office("ps", "add", *PS)
    assert office("status").code == 0
    assert office("returns", "divert", "--ps", NUMBER).out == "PS concernés : 1 ; détournés : 1.\n"
    status = office("status")
    assert status.code == 1
    assert "boîtes de PS en panne, retours détournés vers la boîte hébergée : 1 depuis le" in status.out
    assert f"« oct ps set {NUMBER} --mailbox {NUMBER} »" in status.out
    document = office("status", "--json").json
    assert [one["ps"] for one in document["boites_detournees"]] == [NUMBER]
    assert document["sans_mot_de_passe"] == [NUMBER]
    told(office("ps", "set", NUMBER, "--mailbox", NUMBER).out)
    assert office("status", "--json").json["sans_mot_de_passe"] == []
    shown = office("ps", "show", NUMBER, "--json").json
    assert shown["detourne_depuis"].endswith("+00:00")
    assert office("returns", "restore", "--ps", NUMBER).out == "PS concernés : 1 ; rétablis : 1.\n"
    assert office("status").code == 0


def test_a_whole_domain_is_diverted_and_restored(office: Office) -> None:
    """R5: a provider's outage; a domain that only ends the same is another one."""
    office("ps", "add", *PS)
    for number, address in (("015432109", "parc@Boite.example"), ("512223334", "gare@autreboite.example")):
        assert office("ps", "add", number, *PS[1:-1], address).code == 0
    assert office("returns", "divert", "--domain", "BOITE.example").out == "PS concernés : 2 ; détournés : 2.\n"
    diverted = {row["numero"] for row in office("ps", "list", "--json").json if row["detourne_depuis"]}
    assert diverted == {NUMBER, "015432109"}
    assert office("returns", "restore", "--domain", "@boite.example").out == "PS concernés : 2 ; rétablis : 2.\n"
    assert office("returns", "divert", "--domain", "nulle.example").code == 1
    for wrong in ([], ["--ps", NUMBER, "--domain", "boite.example"]):
        assert office("returns", "divert", *wrong).code == 2


def test_r5_what_was_not_fetched_follows_who_takes_its_returns_elsewhere_again(office: Office) -> None:
    assert office("ps", "add", *PS, "--return", "boite").code == 0
    with office.database() as conn:
        owner = practitioners.by_number(conn, NUMBER)
        assert owner is not None
        payload_id = payloads.put(conn, VAULT, b"un\r\n", NOW)
        new = new_consignment(
            arrive(conn, 1), payload_id, 1, practitioner_id=owner.id, recipient=owner.address, due_at=None
        )
        (consignment_id,) = consignments.insert_many(conn, [new])
        mailboxes.deposit(conn, owner.id, payload_id, consignment_id, 4, NOW)
    assert "propre boîte" not in office("ps", "set", NUMBER, "--name", "CABINET").out
    assert "partent vers sa propre boîte : 1" in office("ps", "set", NUMBER, "--return", "smtp").out
    with office.database() as conn:
        assert [queue.recipient for queue in consignments.backlog(conn)] == ["pont@boite.example"]
        assert mailboxes.listing(conn, owner.id) == []
    assert "propre boîte" not in office("ps", "set", NUMBER, "--return", "smtp").out
