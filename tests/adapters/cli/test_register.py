"""`oct ps` and `oct insurers`: the register and its imports (K2, L3, L4, L8, H6)."""

from __future__ import annotations

import json

from oct.store import insurers, practitioners
from oct.store.tables import events as event_table
from tests.adapters.cli.desk import AMC, OFFICIAL, OFFICIAL_HEADER, PRACTITIONERS, Office

PS = ["421234567", "--type", "er", "--name", "CABINET DU PONT", "--address", "Pont@Boite.example"]


def deeds(office: Office) -> list[tuple[str, str, str]]:
    """Kind, outcome and actor of every event."""
    with office.database() as conn:
        return [(row.kind, row.outcome, row.actor) for row in conn.execute(event_table.select())]


def test_a_practitioner_is_added_and_shown(office: Office) -> None:
    more = ["--other-number", "421234575", "--from", "autre@boite.example", "--return", "boite"]
    added = office("ps", "add", *PS, *more)
    assert added.code == 0
    assert added.out.startswith("PS 421234567 ajouté.\nBoîte hébergée : identifiant 421234567, mot de passe ")
    shown = office("ps", "show", "421234575", "--json").json
    assert shown["numero"] == "421234567"
    assert (shown["type"], shown["adresse"], shown["retours"]) == ("ER", "pont@boite.example", "boite")
    assert shown["autres_numeros"] == ["421234575"]
    assert shown["adresses_d_envoi"] == ["autre@boite.example", "pont@boite.example"]
    kind, outcome, actor = deeds(office)[-1]
    assert (kind, outcome) == ("praticien", "ouvert")
    assert actor.startswith("cli:")


def test_a_number_belongs_to_one_account(office: Office) -> None:
    """L8: and what was refused leaves nothing behind."""
    assert office("ps", "add", *PS).code == 0
    again = office("ps", "add", "421234575", *PS[1:-1], "autre@boite.example", "--other-number", "421234567")
    assert again.code == 1
    assert "appartient déjà" in again.err
    assert len(office("ps", "list", "--json").json) == 1


def test_wrong_values_are_refused_with_what_was_expected(office: Office) -> None:
    for line, said in (
        (["12345678", *PS[1:]], "9 chiffres"),
        ([*PS[:2], "ZZ", *PS[3:]], "au choix : CP, CS"),
        ([*PS[:-1], "nulle part"], "Adresse"),
        ([*PS[:4], " ", *PS[5:]], "Nom ou libellé"),
    ):
        result = office("ps", "add", *line)
        assert result.code == 2
        assert said in result.err


def test_a_practitioner_is_changed_field_by_field(office: Office) -> None:
    office("ps", "add", *PS)
    changed = office("ps", "set", "421234567", "--name", "CABINET DU LAC", "--address", "lac@boite.example")
    assert changed.code == 0
    assert office("ps", "set", "421234567", "--not-from", "pont@boite.example").code == 0
    assert office("ps", "set", "421234567", "--not-from", "pont@boite.example").code == 1
    shown = office("ps", "show", "421234567", "--json").json
    assert (shown["nom"], shown["type"]) == ("CABINET DU LAC", "ER")
    assert shown["adresses_d_envoi"] == ["lac@boite.example"]


def test_a_closed_account_stays_known(office: Office) -> None:
    office("ps", "add", *PS)
    assert office("ps", "close", "421234567").code == 0
    assert "fermé" in office("ps", "list").out
    assert office("ps", "show", "999999999").code == 1
    refused = office("ps", "import", office.file("ps.csv", PRACTITIONERS))
    assert "ligne 2 refusée : Ce compte est fermé." in refused.out


def test_practitioners_are_imported_line_by_line(office: Office) -> None:
    """Each refused line with its number and reason, the others taken, whatever order they stand in."""
    table = (
        "numero;type;nom;adresse\n"
        "421234567;ER;CABINET MÉDICAL;pont@boite.example\n"
        "42;ER;X;x@boite.example\n"
        "015432109;IF;PARC;pont@boite.example\n"
        "750009998;LB;LABO;labo@boite.example\n"
    ).encode("latin-1")
    result = office("ps", "import", office.file("ps.csv", table))
    assert result.code == 1
    assert result.out.splitlines() == [
        "ligne 3 refusée : numéro « 42 » : 9 chiffres attendus",
        "ligne 4 refusée : Cette boîte est celle du compte 421234567, de type ER : un compte n'a qu'un type.",
        "PS : 2 ajouts, 0 modification, 0 sans changement, 2 lignes en défaut.",
    ]
    with office.database() as conn:
        assert [(one.number, one.name) for one in practitioners.list_all(conn)] == [
            ("421234567", "CABINET MÉDICAL"),
            ("750009998", "LABO"),
        ]


def test_l8_numbers_that_share_a_mailbox_are_one_account(office: Office) -> None:
    table = "numero;type;nom;adresse\n015432109;IF;PARC;parc@boite.example\n015432208;IF;PARC;parc@boite.example\n"
    path = office.file("ps.csv", table.encode("ascii"))
    assert "2 ajouts, 0 modification" in office("ps", "import", path).out
    assert "0 ajout, 0 modification, 2 sans changement" in office("ps", "import", path).out
    with office.database() as conn:
        (account,) = practitioners.list_all(conn)
    assert account.number == "015432109"
    assert set(account.numbers) == {"015432109", "015432208"}


def test_importing_practitioners_again_updates_them(office: Office) -> None:
    path = office.file("ps.csv", PRACTITIONERS)
    assert "1 ajout," in office("ps", "import", path).out
    assert "1 sans changement" in office("ps", "import", path).out
    changed = office("ps", "import", office.file("ps.csv", PRACTITIONERS.replace(b"PONT", b"LAC")), "--json")
    assert changed.json == {"added": 0, "updated": 1, "unchanged": 0, "refused": []}


def test_a_number_attached_to_another_account_is_not_taken_over(office: Office) -> None:
    """L8."""
    office("ps", "add", "421234575", *PS[1:-1], "autre@boite.example", "--other-number", "421234567")
    result = office("ps", "import", office.file("ps.csv", PRACTITIONERS))
    assert "ligne 2 refusée : Ce numéro est rattaché au compte 421234575." in result.out


def test_a_table_with_other_columns_is_refused_whole(office: Office) -> None:
    for noun in ("ps", "insurers"):
        result = office(noun, "import", office.file("x.csv", b"a;b\n1;2\n"))
        assert (result.code, result.out) == (2, "")
        assert result.err.count("\n") == 1
    assert office("ps", "import", office.folder / "absent.csv").code == 2


def test_the_official_table_leads_from_caisses_to_insurers(office: Office) -> None:
    """L3: two caisses of one organism are one insurer, named after the caisse that is the organism itself."""
    assert office("insurers", "import", office.file("orgdest.csv", OFFICIAL)).code == 0
    with office.database() as conn:
        directory = insurers.load_directory(conn)
    for caisse in ("421", "422"):
        insurer = directory.caisse("01", caisse, "0000")
        assert insurer is not None
        assert (insurer.label, insurer.address) == ("SAINT ÉTIENNE", "01422@422.01.rss.fr")
        assert (insurer.recipient_type, insurer.recipient_number) == ("CT", "00000001016422")
    agen = directory.caisse("02", "475", "0000")
    assert agen is not None
    assert agen.recipient_type == "MA"
    again = office("insurers", "import", office.folder / "orgdest.csv", "--json").json
    assert (again["added"], again["updated"], again["unchanged"]) == (0, 0, 3)


def test_a_new_official_table_keeps_an_address_set_by_hand(office: Office) -> None:
    office("insurers", "import", office.file("orgdest.csv", OFFICIAL))
    assert office("insurers", "set", "01422@422.01.rss.fr", "--address", "front@caisse.example").code == 0
    moved = OFFICIAL.replace(b"MSA AGEN", b"MSA SUD").replace(b'"421"', b'"423"')
    result = office("insurers", "import", office.file("orgdest.csv", moved))
    assert result.code == 0
    listed = {row["libelle"]: row["adresse"] for row in office("insurers", "list", "--json").json}
    assert listed == {"SAINT ÉTIENNE": "front@caisse.example", "MSA SUD": "02471@471.02.rss.fr"}


def test_an_address_in_the_official_table_wins(office: Office) -> None:
    table = f'{OFFICIAL_HEADER};"adresse électronique"\n01;422;0000;X;RG;422;016;Front@Caisse.example\n'
    office("insurers", "import", office.file("orgdest.csv", OFFICIAL))
    assert "1 modification" in office("insurers", "import", office.file("orgdest.csv", table.encode())).out
    shown = office("insurers", "show", "front@caisse.example", "--json").json
    assert shown["caisses"] == ["01/421/0000", "01/422/0000"]


def test_complementary_insurers_are_imported_and_found_by_number(office: Office) -> None:
    """L4: whatever the zeros on the left."""
    path = office.file("amc.csv", AMC)
    assert "AMC : 1 ajout," in office("insurers", "import", path).out
    assert "1 sans changement" in office("insurers", "import", path).out
    assert office("insurers", "show", "99999991", "--json").json["numero_destinataire"] == "00000099999991"
    assert "1 modification" in office("insurers", "import", office.file("amc.csv", AMC.replace(b"ALPHA", b"BETA"))).out
    refused = office("insurers", "import", office.file("amc.csv", AMC + b"x;MA;349;Y;y@z.example\n"))
    assert refused.code == 1
    assert "ligne 3 refusée" in refused.out


def test_how_an_insurer_wants_its_files_is_set(office: Office) -> None:
    """A4, A5."""
    office("insurers", "import", office.file("amc.csv", AMC))
    line = ["--cipher", "aes-128-cbc", "--compression", "none", "--form", "mime", "--disabled", "--label", "ALPHA"]
    assert office("insurers", "set", "1", *line).code == 0
    shown = office("insurers", "show", "1", "--json").json
    assert [shown[key] for key in ("chiffrement", "compression", "forme", "actif", "libelle")] == [
        "aes-128-cbc",
        "none",
        "mime",
        False,
        "ALPHA",
    ]
    assert deeds(office)[-1][:2] == ("assureur", "modifie")


def test_an_insurer_is_named_without_ambiguity(office: Office) -> None:
    office("insurers", "import", office.file("orgdest.csv", OFFICIAL))
    office("insurers", "set", "1", "--address", "commun@caisse.example")
    office("insurers", "set", "2", "--address", "commun@caisse.example")
    several = office("insurers", "show", "commun@caisse.example")
    assert several.code == 1
    assert "donnez l'un de 1, 2" in several.err
    for unknown in ("77", "zut", "x@y.example"):
        assert office("insurers", "show", unknown).code == 1


def test_empty_lists_say_what_to_do(office: Office) -> None:
    assert "« oct ps add »" in office("ps", "list").out
    assert "orgdest.csv" in office("insurers", "list").out
    assert office("ps", "list", "--json").json == []


def test_an_import_is_one_event_with_its_counts(office: Office) -> None:
    office("ps", "import", office.file("ps.csv", PRACTITIONERS))
    with office.database() as conn:
        told = [json.loads(row.data) for row in conn.execute(event_table.select()) if row.kind == "import"]
    assert told == [{"table": "praticiens", "added": 1, "updated": 0, "unchanged": 0, "refused": 0}]
