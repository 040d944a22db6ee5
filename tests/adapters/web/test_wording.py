"""How pages write what events hold."""

from __future__ import annotations

import pytest

from oct.web.wording import details, told


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "oui"),
        (False, "non"),
        (12, "12"),
        ("250 2.0.0 OK", "250 2.0.0 OK"),
        (["421234567/001/FSE", "421234567/002/FSE"], "421234567/001/FSE, 421234567/002/FSE"),
        ([], ""),
        ({"3": "paid", "4": "rejected"}, "3 payé, 4 rejeté"),
    ],
)
def test_a_value_is_written_as_people_write_it(value: object, said: str) -> None:
    assert told(value) == said


def test_what_says_nothing_is_left_out_of_the_details() -> None:
    assert details({"motif": "", "lots": [], "essai": 0, "art": None, "tls": False}) == "essai 0 · tls non"
