"""RSP: both physical forms, opaque entities, counters (A18), against files built by hand (tests/vectors/returns)."""

from __future__ import annotations

import json

import pytest

from oct.errors import ConfigurationError, FormatError
from oct.formats.entities import ControlCount, Entities, Entity
from oct.formats.noemie import Form, Shape, build_noemie, read_noemie, write_noemie
from tests.return_cases import GOLDEN, LAYOUTS, RULES, RULES_TEXT, TO_ALPHA, golden

RETURNS = sorted(path.stem for path in GOLDEN.glob("rsp-*.bin"))


@pytest.mark.parametrize("name", RETURNS)
def test_a_return_read_then_written_has_the_same_bytes(name: str) -> None:
    assert write_noemie(read_noemie(golden(name), LAYOUTS, RULES)) == golden(name)


@pytest.mark.parametrize("name", ["rsp-one-stream", "rsp-one-blocks", "rsp-two-stream", "rsp-two-blocks"])
def test_a_hand_made_return_is_read_as_its_json_says(name: str) -> None:
    expected = json.loads((GOLDEN / f"{name}.json").read_text())
    file = read_noemie(golden(name), LAYOUTS, RULES)
    by_code = {code: [e for e in file.entities if e.code == code] for code in ("040", "100", "198")}
    assert file.form == expected["form"]
    assert file.frame.recipient_ps_number == expected["header_number"]
    assert [RULES.text(e, "number")[-9:] for e in by_code["040"]] == expected["settlements"]
    assert [RULES.text(e, "invoice_number") for e in by_code["100"]] == expected["invoices"]
    assert [RULES.signed(e, "paid") for e in by_code["198"]] == expected["paid"]


def test_an_entity_is_found_at_its_offset_in_the_stream() -> None:
    file = read_noemie(golden("rsp-two-stream"), LAYOUTS, RULES)
    body = bytes(file.frame.body)
    assert all(body[e.start : e.start + len(e.raw)] == e.raw for e in file.entities)


def test_unknown_entities_stay_in_their_place() -> None:
    raws = [b"0100100000010@", b"55507\xe9\x00 what it is nobody knows@", b"10304SOMEONE@"]
    file = read_noemie(build_noemie(TO_ALPHA, raws, Shape(Form.STREAM), LAYOUTS, RULES), LAYOUTS, RULES)
    assert [entity.raw for entity in file.entities] == raws


@pytest.mark.parametrize("code", ["103", "110", "120"])
def test_entities_of_insured_persons_have_no_field_to_read(code: str) -> None:
    assert RULES.by_code[code].fields == {}
    assert RULES.text(Entity(code, 4, b"10304SOMEONE@", 0), "number") == ""


def test_a_field_beyond_the_end_of_a_short_entity_is_blank() -> None:
    short = Entity("198", 5, b"1980500001200P@", 0)
    assert (RULES.number(short, "asked"), RULES.text(short, "state"), RULES.number(short, "paid")) == (1200, "P", 0)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"9909901 ", b"9909999 ", "noemie-controle"),
        (b"990990200000010", b"990990100000010", "noemie-controle"),
        (b"00000009", b"00000008", "noemie-controle"),
        (b"00000004250P", b"00000004251P", "noemie-controle"),
        (b"1980500002500P00002500", b"1980500002500P00002400", "noemie-controle"),
        (b"1980500002500P00002500", b"1980500002500P0000X500", "noemie-zone-non-numerique"),
        (b"@07002", b"@O7002", "noemie-entite-illisible"),
        (b"@999CT", b"9999CT", "noemie-entite-ouverte"),
        (b"0100109876541@", b"0100209876541@", "noemie-blocs"),
    ],
)
def test_a_damaged_return_is_refused_by_its_code(old: bytes, new: bytes, code: str) -> None:
    data = golden("rsp-one-stream")
    assert old in data
    with pytest.raises(FormatError) as caught:
        read_noemie(data.replace(old, new, 1), LAYOUTS, RULES)
    assert caught.value.code == code


def test_an_entity_lost_on_the_way_is_told_with_the_rank_of_the_control_and_its_position() -> None:
    data = golden("rsp-one-stream").replace(b"10304ASSURE INVENTE@", b"", 1)
    with pytest.raises(FormatError) as caught:
        read_noemie(data, LAYOUTS, RULES)
    assert caught.value.code == "noemie-controle"
    assert "de rang 13" in caught.value.sentence
    assert caught.value.place is not None
    assert caught.value.place.position == 23


def test_a_trailer_that_contradicts_the_content_is_refused() -> None:
    data = golden("rsp-one-stream")
    with pytest.raises(FormatError) as caught:
        read_noemie(data[:-43] + b"00000009999P" + data[-31:], LAYOUTS, RULES)
    assert (caught.value.code, caught.value.rule) == ("noemie-fin", "L7")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:128] + b"1" + data[129:],
        lambda data: data[: -128 - 128] + b"0" + data[-255:],
        lambda data: data[:200] + data[201:],
    ],
    ids=["a last block before the end", "no last block", "a byte lost"],
)
def test_blocks_must_be_whole_and_end_with_their_last(change: object) -> None:
    assert callable(change)
    with pytest.raises(FormatError) as caught:
        read_noemie(change(golden("rsp-two-blocks")), LAYOUTS, RULES)
    assert caught.value.code == "noemie-blocs"


def rules_with(line: str, names: str) -> Entities:
    lines = [f"{line} = {names}" if row.startswith(f"{line} = ") else row for row in RULES_TEXT.splitlines()]
    return Entities.from_toml("\n".join(lines))


@pytest.mark.parametrize("how", [how for how in ControlCount if how is not ControlCount.UNSET])
def test_the_convention_of_the_counters_is_a_setting_a18(how: ControlCount) -> None:
    only = rules_with("control_counter", f'["{how}"]')
    raws = [entity.raw for entity in read_noemie(golden("rsp-two-stream"), LAYOUTS, RULES).entities]
    counted = build_noemie(TO_ALPHA, raws, Shape(Form.STREAM), LAYOUTS, only)
    assert read_noemie(counted, LAYOUTS, RULES).conventions.control_counter is how
    assert (counted == build_noemie(TO_ALPHA, raws, Shape(Form.STREAM), LAYOUTS, RULES)) == (how is ControlCount.BELOW)


def test_a_return_that_follows_another_convention_than_the_operator_s_is_refused_a18() -> None:
    with pytest.raises(FormatError, match="noemie-controle"):
        read_noemie(golden("rsp-one-stream"), LAYOUTS, rules_with("control_counter", '["within"]'))


@pytest.mark.parametrize(
    "closed", ["02", "040", "04002", "00000000000000002"], ids=["left", "code", "code and level", "right"]
)
def test_the_level_closed_is_understood_in_each_spelling(closed: str) -> None:
    raws = [b"0100100000010@", b"04002000000101234567@", b"10003000000001@", RULES.build("990", 99, closed=closed)]
    file = read_noemie(build_noemie(TO_ALPHA, raws, Shape(Form.STREAM), LAYOUTS, RULES), LAYOUTS, RULES)
    assert RULES.number(file.entities[-1], "counter") == 1


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("number = [6, 12]", "number = [12, 6]", "entite-invalide"),
        ("asked = [6, 13]", "", "entite-invalide"),
        ('role = "lot"', 'role = "batch"', "entite-invalide"),
        ('trailer_sum = ["paid"', 'trailer_sum = ["gained"', "conventions-invalides"),
        ("[entity.010]", "[entity.010", "entites-illisibles"),
    ],
)
def test_a_fault_in_the_entities_file_is_told_at_start(old: str, new: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Entities.from_toml(RULES_TEXT.replace(old, new))
    assert caught.value.code == code
