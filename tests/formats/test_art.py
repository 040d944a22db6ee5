"""The envelope of an ART (T2, annex 7.2)."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from oct.errors import FormatError
from oct.formats.art import ArtEnvelope, art_envelope

AT = datetime(2026, 11, 20, 8, 5, tzinfo=ZoneInfo("Europe/Paris"))


def test_an_art_has_the_envelope_of_the_annex() -> None:
    assert art_envelope("421234567", "ER", AT) == ArtEnvelope(
        subject="ART/00000421234567/202611200805",
        description="ART/ER",
        filename="ART_00000421234567_202611200805.txt",
    )


@pytest.mark.parametrize("profession", ["", "E", "er", "ER\r\nX: y", "ERR"])
def test_a_type_that_is_not_two_letters_is_refused(profession: str) -> None:
    with pytest.raises(FormatError, match="art-type"):
        art_envelope("421234567", profession, AT)
