"""The tables an operator imports: every line is used or refused with its reason (L3, L4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.errors import ConfigurationError, FormatError
from oct.formats.professions import Professions
from oct.formats.regimes import Regimes
from oct.formats.tables import (
    AmcRow,
    CaisseRow,
    PractitionerRow,
    TableKind,
    insurer_table_kind,
    read_amcs,
    read_caisses,
    read_practitioners,
)

CONFIG = Path(__file__).parents[2] / "config"
PROFESSIONS = Professions.from_toml((CONFIG / "professions.toml").read_text(encoding="utf-8"))
REGIMES = Regimes.from_toml((CONFIG / "regimes.toml").read_text(encoding="utf-8"))

OFFICIAL = (
    '"code régime";"caisse gestionnaire";"centre gestionnaire";"libellé";"régime";"organisme destinataire";'
    '"code centre informatique";"adresse 1";"adresse 2";"commune";"code postal";"cedex";"téléphone";"fax"\r\n'
)
AMC = "numero;code_routage;hote;libelle;adresse\n"
PS = "numero;type;nom;adresse\n"


def official(*lines: str) -> bytes:
    return (OFFICIAL + "".join(f"{line}\r\n" for line in lines)).encode("latin-1")


def reasons(data: bytes) -> list[tuple[int, str]]:
    return [(refusal.line, refusal.reason) for refusal in read_caisses(data).refused]


def test_the_official_table_is_read_as_it_is_published() -> None:
    """L3: quoted, latin-1, postal columns ignored, the address by the usual pattern."""
    table = read_caisses(
        official('"01";"422";"0000";"SAINT ÉTIENNE";"Régime Général";"422";"016";"1 rue";"";"X";"42000";"";"";""')
    )
    assert table.refused == ()
    assert table.rows == ((2, CaisseRow("01", "422", "0000", "SAINT ÉTIENNE", "422", "016", "")),)
    assert table.rows[0][1].usual_address == "01422@422.01.rss.fr"


def test_a_column_of_mailboxes_wins_over_the_pattern() -> None:
    header = OFFICIAL.strip() + ';"Adresse électronique"\n'
    line = "01;422;0000;X;RG;422;016;;;;;;;;Front@Caisse.Example\n"
    table = read_caisses((header + line).encode())
    assert [row.address for _, row in table.rows] == ["front@caisse.example"]


def test_a_line_cut_after_its_last_filled_cell_is_complete() -> None:
    assert len(read_caisses(official("01;422;0000;X;RG;422;016")).rows) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1;422;0000;X;RG;422;016", "régime « 1 » : 2 chiffres attendus"),
        ("00;422;0000;X;RG;422;016", "régime « 00 » : ce régime n'existe pas"),
        ("01;4A2;0000;X;RG;422;016", "caisse gestionnaire « 4A2 » : 3 chiffres attendus"),
        ("01;422;000;X;RG;422;016", "centre gestionnaire « 000 » : 4 chiffres attendus"),
        ("01;422;0000;;RG;422;016", "libellé absent"),
        ("01;422;0000;X\x07Y;RG;422;016", "libellé : caractère interdit"),
        ("01;422;0000;X;RG;;016", "organisme destinataire «  » : 3 chiffres attendus"),
        ("01;422;0000;X;RG;422;1²3", "centre informatique « 1²3 » : 3 chiffres attendus"),
        ('01;422;0000;"X;RG;422;016', "guillemets mal placés ou ligne trop longue"),
        ("01;422;0000;X;RG;422;016" + ";" * 20, "27 colonnes au lieu de 14"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_with_its_reason(line: str, reason: str) -> None:
    """The lines around it are used all the same."""
    data = official("01;011;0000;A;RG;011;016", line, "01;511;0000;B;RG;511;086")
    assert reasons(data) == [(3, reason)]
    assert [number for number, _ in read_caisses(data).rows] == [2, 4]


def test_the_same_line_twice_counts_once_and_a_contradiction_is_refused() -> None:
    line = "01;422;0000;X;RG;422;016"
    data = official(line, line, "01;422;0000;X;RG;423;016")
    assert [number for number, _ in read_caisses(data).rows] == [2]
    assert reasons(data) == [(4, "déjà donné à la ligne 2 avec d'autres valeurs")]


def test_one_insurer_has_one_address() -> None:
    header = OFFICIAL.strip() + ';"courriel"\n'
    lines = "01;421;0000;X;RG;422;016;;;;;;;;a@x.example\n01;422;0000;X;RG;422;016;;;;;;;;b@x.example\n"
    table = read_caisses((header + lines).encode())
    assert [refusal.line for refusal in table.refused] == [3]
    assert "autre adresse qu'à la ligne 2" in table.refused[0].reason


def test_complementary_insurers_are_read_in_any_order_of_columns() -> None:
    """L4: their number gets its 10 digits."""
    data = "adresse;libelle;hote;code_routage;numero\n ma349@349.MA.rss.fr ;MUTUELLE ALPHA;349;ma;99999991\n"
    assert read_amcs(data.encode()).rows == (
        (2, AmcRow("0099999991", "MA", "349", "MUTUELLE ALPHA", "ma349@349.ma.rss.fr")),
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("12345678901;MA;349;X;a@b.example", "numéro « 12345678901 » : 10 chiffres au plus attendus"),
        ("0;MA;349;X;a@b.example", "numéro « 0 » : 10 chiffres au plus attendus"),
        ("1;MAX;349;X;a@b.example", "code de routage « MAX » : 2 lettres ou chiffres au plus"),
        ("1;MA;349;X;", "adresse absente"),
        ("1;MA;349;X;a b@c", "adresse « a b@c » incorrecte"),
        ("1;MA;349;X;a@b.example\x00", "adresse « a@b.example? » incorrecte"),
    ],
)
def test_a_faulty_complementary_insurer_is_refused_with_its_reason(line: str, reason: str) -> None:
    table = read_amcs((AMC + line).encode())
    assert table.rows == ()
    assert [(refusal.line, refusal.reason) for refusal in table.refused] == [(2, reason)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_practitioners_are_read_in_either_encoding(encoding: str) -> None:
    data = (PS + "\n421234567;er;CABINET  MÉDICAL;Pont@Boite.example\r\n;;;\n\n").encode(encoding)
    table = read_practitioners(data, PROFESSIONS)
    assert table.refused == ()
    assert table.rows == ((3, PractitionerRow("421234567", "ER", "CABINET MÉDICAL", "pont@boite.example")),)


def test_a_practitioner_of_an_unknown_type_or_a_short_number_is_refused() -> None:
    data = (PS + "421234567;ZZ;X;a@b.example\n42123456;ER;X;a@b.example\n").encode()
    assert [refusal.reason.partition(" :")[0] for refusal in read_practitioners(data, PROFESSIONS).refused] == [
        "type « ZZ » inconnu",
        "numéro « 42123456 »",
    ]


def test_a_table_is_recognised_by_its_columns() -> None:
    assert insurer_table_kind(official()) is TableKind.AMO
    assert insurer_table_kind(AMC.upper().encode()) is TableKind.AMC
    for other in (PS.encode(), b"", b"\xff\xfe\x00", "numéro;libellé\n".encode()):
        with pytest.raises(FormatError, match="table-inconnue"):
            insurer_table_kind(other)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(FormatError, match="il manque nom, adresse"):
        read_practitioners(b"numero;type\n", PROFESSIONS)
    with pytest.raises(FormatError, match="il manque hote"):
        read_amcs(b"numero;code_routage;libelle;adresse\n")
    with pytest.raises(FormatError, match="table-inconnue"):
        read_caisses(AMC.encode())


@pytest.mark.parametrize("data", [b"\x81\x8d\xff", b'"numero;type\n'])
def test_a_file_that_is_no_table_is_refused_whole(data: bytes) -> None:
    with pytest.raises(FormatError, match="table-illisible"):
        read_practitioners(data, PROFESSIONS)


@given(st.binary(max_size=300), st.sampled_from([OFFICIAL.encode("latin-1"), AMC.encode(), PS.encode(), b""]))
def test_any_bytes_give_a_table_or_the_declared_error(noise: bytes, header: bytes) -> None:
    """H10."""
    data = header + noise
    for read in (read_caisses, read_amcs, lambda content: read_practitioners(content, PROFESSIONS)):
        try:
            table = read(data)
        except FormatError:
            continue
        assert all(refusal.line > 1 and refusal.reason.isprintable() for refusal in table.refused)


def test_a_recipient_type_follows_the_regime() -> None:
    assert [REGIMES.recipient_type(regime) for regime in ("01", "02", "91")] == ["CT", "MA", "CT"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[", "TOML"),
        ('default = "CT"', "[recipient_types]"),
        ("[recipient_types]", "default"),
        ('default = "CT"\n[recipient_types]\n1 = "CT"', "« 1 »"),
        ('default = "CT"\n[recipient_types]\n01 = 4', "« 01 »"),
    ],
)
def test_a_bad_file_of_regimes_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Regimes.from_toml(text)
    assert place in caught.value.sentence
