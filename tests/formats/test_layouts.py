"""The layouts file and the engine that slices by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.errors import ConfigurationError, FormatError
from oct.formats.layouts import RECORD, Layouts
from oct.settings.data_files import built_in, record_layouts
from tests.claims import LAYOUTS, put, record

TWO = """
[one]
mark = { at = [1, 1], fmt = "A", const = "x" }
number = { at = [2, 4], fmt = "N" }
word = { at = [5, 8], fmt = "A" }
"""


def test_a_field_is_where_the_file_says_counted_from_one() -> None:
    layout = Layouts.from_toml(TWO)["one"]
    assert layout.text(record((1, "x123AB  ")), "word") == "AB"
    assert layout.raw(record((1, "x123AB  ")), "word") == b"AB  "
    assert layout.number(record((1, "x123AB  ")), "number") == 123
    assert layout.fields["number"].first == 2
    assert layout.fields["number"].width == 3


def test_a_record_is_built_with_constants_zeros_before_numbers_and_spaces_after_words() -> None:
    assert Layouts.from_toml(TWO)["one"].build(number=7, word="AB") == record((1, "x007AB"))


def test_a_patch_changes_its_fields_only() -> None:
    before = record((1, "x123ABCD"), (100, "REST"))
    assert Layouts.from_toml(TWO)["one"].patch(before, word="Z") == put(before, 5, "Z   ")


def test_a_number_that_is_none_is_refused_with_its_place() -> None:
    with pytest.raises(FormatError) as caught:
        Layouts.from_toml(TWO)["one"].number(record((1, "x1 3")), "number", record_number=9)
    assert (caught.value.code, str(caught.value.place)) == ("zone-non-numerique", "enregistrement 9, position 2")


def test_a_fault_names_its_record_and_positions_in_french() -> None:
    """Nobody who reads it knows the fields by the names of this program."""
    with pytest.raises(FormatError) as caught:
        LAYOUTS["lot_header"].number(record((1, "1"), (20, "0X1")), "lot_number")
    assert caught.value.sentence == "La zone 20-22 de l'entête du lot (1) doit être numérique."
    with pytest.raises(FormatError, match=r"La zone 62-65 de l'entête du fichier \(000\) n'a que 4 positions\."):
        LAYOUTS["file_header"].build(norm="TROP LONG")


def test_an_own_layouts_file_that_lacks_something_stops_the_start_and_names_it() -> None:
    """One line, with every table and field that is missing."""
    LAYOUTS.check_complete(LAYOUTS)
    shipped = built_in("layouts.toml")
    own = shipped.replace("[arl_status]", "[arl_other]").replace(
        "lot_number = { at = [52, 54]", "lots = { at = [52, 54]"
    )
    with pytest.raises(ConfigurationError) as caught:
        Layouts.from_toml(own).check_complete(LAYOUTS)
    lacking = "la zone lot_number de la table lot_trailer, ni la table arl_status"
    assert caught.value.sentence == f"Le fichier des formats n'a pas {lacking}."


def test_the_program_does_not_start_on_such_a_file(tmp_path: Path) -> None:
    (tmp_path / "miens.toml").write_text(TWO, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="la table file_header, ni la table lot_header"):
        record_layouts(tmp_path / "miens.toml")


def test_a_value_too_long_for_its_field_is_refused_not_cut() -> None:
    with pytest.raises(FormatError, match="3 positions"):
        Layouts.from_toml(TWO)["one"].build(number=1234)


@pytest.mark.parametrize(
    "text",
    [
        "[one",
        "[one]\na = 1",
        '[one]\na = { at = [0, 3], fmt = "N" }',
        '[one]\na = { at = [3, 2], fmt = "N" }',
        '[one]\na = { at = [3, 129], fmt = "N" }',
        '[one]\na = { at = [3], fmt = "N" }',
        '[one]\na = { at = [1, 2], fmt = "X" }',
        '[one]\na = { at = ["1", "2"], fmt = "N" }',
        '[one]\na = { at = [1, 2], fmt = "A", const = "LONG" }',
        '[one]\na = { fmt = "A" }',
        '[one]\na = { at = [1.0, 2.0], fmt = "A" }',
        "one = 1",
    ],
)
def test_a_faulty_layouts_file_stops_the_start_with_a_sentence(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Layouts.from_toml(text)


def test_every_record_of_the_shipped_file_fits_in_128_bytes() -> None:
    for layout in LAYOUTS.by_name.values():
        assert all(1 <= field.first <= field.slice.stop <= RECORD for field in layout.fields.values()), layout.name
        assert len(layout.build()) == RECORD


@given(st.binary(min_size=RECORD, max_size=RECORD), st.text(max_size=40))
def test_any_text_fits_its_field_or_is_refused(before: bytes, word: str) -> None:
    layout = Layouts.from_toml(TWO)["one"]
    try:
        after = layout.patch(before, word=word)
    except FormatError:
        assert len(word) > 4
    else:
        assert after[:4] == before[:4]
        assert after[8:] == before[8:]
        assert len(after) == RECORD


ODD = """
[odd]
braces = { at = [1, 4], fmt = "A", const = "{0}{" }
word = { at = [9, 12], fmt = "A" }
number = { at = [5, 8], fmt = "N" }
part = { at = [10, 11], fmt = "A" }
"""
_ODD = Layouts.from_toml(ODD)["odd"]
_GIVEN = st.dictionaries(
    st.sampled_from(["number", "word", "part"]), st.one_of(st.text(max_size=5), st.integers(0, 99_999))
)


@given(_GIVEN)
def test_a_built_record_is_a_blank_one_patched_whatever_its_fields(values: dict[str, str | int]) -> None:
    """Constants of any characters, fields that overlap, and the same refusal of what is too long."""
    try:
        expected = _ODD.patch(_ODD.blank, **values)
    except FormatError as fault:
        with pytest.raises(FormatError, match=fault.code):
            _ODD.build(**values)
    else:
        assert _ODD.build(**values) == expected
