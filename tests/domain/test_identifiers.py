"""What a text can name, told by its shape (J1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.domain.identifiers import Kind, Meaning, meanings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ABCDEF-12345678", [Meaning(Kind.TRACE, "ABCDEF-12345678")]),
        (" abcdef 12345678 ", [Meaning(Kind.TRACE, "ABCDEF-12345678")]),
        ("ABCDEF–1234567O", [Meaning(Kind.TRACE, "ABCDEF-12345670")]),
        ("2026112110203012345", [Meaning(Kind.COMPOSTAGE, "2026112110203012345")]),
        ("<A.b@c.fr>", [Meaning(Kind.MESSAGE_ID, "A.b@c.fr"), Meaning(Kind.ADDRESS, "a.b@c.fr")]),
        ("991234567/001/261121", [Meaning(Kind.LOT, "001", "991234567", "261121")]),
        ("991234567/001", [Meaning(Kind.LOT, "001", "991234567"), Meaning(Kind.INVOICE, "000000001", "991234567")]),
        ("991234567 / 42", [Meaning(Kind.INVOICE, "000000042", "991234567")]),
        ("01/422/016", [Meaning(Kind.AMO, "01422016")]),
        ("01/422", [Meaning(Kind.AMO, "01422")]),
        ("01 422", [Meaning(Kind.INVOICE, "000001422"), Meaning(Kind.AMO, "01422")]),
        ("01422016", [Meaning(Kind.INVOICE, "001422016"), Meaning(Kind.AMO, "01422016"),
                      Meaning(Kind.AMC, "0001422016")]),
        ("0099999991", [Meaning(Kind.AMC, "0099999991")]),
        ("991 234 567", [Meaning(Kind.PRACTITIONER, "991234567"), Meaning(Kind.INVOICE, "991234567"),
                         Meaning(Kind.AMC, "0991234567")]),
        ("001", [Meaning(Kind.INVOICE, "000000001"), Meaning(Kind.LOT, "001")]),
        ("AB" * 16, [Meaning(Kind.PATIENT, "ab" * 16)]),
        ("f0a12z", [Meaning(Kind.INVOICE, "000F0A12Z"), Meaning(Kind.FILE, "F0A12Z")]),
    ],
)  # fmt: skip
def test_an_identifier_is_known_by_its_shape(text: str, found: list[Meaning]) -> None:
    assert list(meanings(text)) == found


@pytest.mark.parametrize(
    "text", ["", " ", "1850578006048", "185057800604842", "DUPONT Jeanne", "é", "a\0b", "1/2/3/4", "@"]
)
def test_what_has_no_shape_names_nothing(text: str) -> None:
    """An NIR, a name: never taken for an identifier."""
    assert meanings(text) == ()


@given(st.text(max_size=400))
def test_any_text_names_a_few_things_or_nothing(text: str) -> None:
    found = meanings(text)
    assert len(found) <= 4
    assert all(len(one.value) <= 300 and one.value.isascii() and one.value.isprintable() for one in found)
