"""The types of practitioners, as data (annex 7.2)."""

from pathlib import Path

import pytest

from oct.errors import ConfigurationError, FormatError
from oct.formats.professions import Professions

PROFESSIONS = Professions.from_toml(
    (Path(__file__).parents[2] / "config" / "professions.toml").read_text(encoding="utf-8")
)


def test_the_twelve_types_of_the_annex_are_shipped() -> None:
    assert set(PROFESSIONS.labels) == {"IF", "MK", "OO", "OY", "PE", "LB", "PH", "FR", "ER", "CP", "CS", "CT"}
    assert PROFESSIONS.label("IF") == "Infirmiers"


def test_an_unknown_type_is_told() -> None:
    assert not PROFESSIONS.known("ZZ")
    with pytest.raises(FormatError, match="profession-inconnue"):
        PROFESSIONS.label("ZZ")


@pytest.mark.parametrize(
    ("text", "place"), [("[", "TOML"), ("", "[types]"), ('[types]\nINF = "x"', "INF"), ("[types]\nIF = 4", "IF")]
)
def test_a_bad_file_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Professions.from_toml(text)
    assert place in caught.value.sentence
