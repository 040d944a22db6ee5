"""Subjects of files of invoices and of receipts (annex 7.1, 7.2; M4, M5, A13)."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from oct.errors import FormatError
from oct.formats.subject import ArtSubject, FactureSubject, ps_number, read_subject

SUBJECT = "SV140700/00000421234567/2026112008000200002/00007"
READ = FactureSubject("140700", "00000421234567", "2026112008000200002", 7)


def test_a_subject_is_read_and_written_alike() -> None:
    assert read_subject(SUBJECT) == READ
    assert READ.write() == SUBJECT


@pytest.mark.parametrize("text", [f"  {SUBJECT}\t", SUBJECT.replace("SV", "sv"), SUBJECT.replace("/", "/ ")])
def test_case_and_blanks_around_parts_do_not_matter(text: str) -> None:
    """M1: a fold may leave a blank."""
    assert read_subject(text) == READ


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "objet-illisible"),
        ("Bonjour", "objet-illisible"),
        (SUBJECT + "/1", "objet-illisible"),
        (SUBJECT.replace("SV", "XX"), "objet-illisible"),
        (SUBJECT.replace("140700", "1407"), "objet-version"),
        (SUBJECT.replace("00000421234567", "421234567"), "objet-emetteur"),
        (SUBJECT.replace("2026112008000200002", "20261120"), "objet-compostage"),
        (SUBJECT.replace("00007", "7"), "objet-nombre"),
        (SUBJECT.replace("00007", "0000²"), "objet-nombre"),
        (SUBJECT.replace("00007", "0000٧"), "objet-nombre"),
    ],
)
def test_a_bad_subject_names_its_faulty_part(text: str, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_subject(text)
    assert caught.value.code == code


def test_a_count_beyond_five_digits_cannot_be_written() -> None:
    with pytest.raises(FormatError, match="objet-nombre"):
        FactureSubject("140700", "00000421234567", "2026112008000200002", 100_000).write()


def test_the_ps_number_is_the_right_part_of_the_sender_number() -> None:
    assert ps_number("00000421234567") == "421234567"


@pytest.mark.parametrize("sender", ["00001421234567", "421234567", ""])
def test_a_sender_number_that_is_not_a_ps_is_not_cut_into_somebody_elses(sender: str) -> None:
    """M4."""
    with pytest.raises(FormatError):
        ps_number(sender)


def test_an_art_subject_is_filled_to_its_width() -> None:
    """A13: the width is a parameter."""
    at = datetime(2026, 11, 20, 8, 5, tzinfo=ZoneInfo("Europe/Paris"))
    assert ArtSubject("421234567", at).write() == "ART/00000421234567/202611200805"
    assert ArtSubject("421234567", at, width=9).write() == "ART/421234567/202611200805"


@pytest.mark.parametrize("number", ["", "42123456A", "4212345678\r\n", "123456789012345"])
def test_an_art_subject_refuses_what_is_no_number_of_its_width(number: str) -> None:
    with pytest.raises(FormatError, match="art-numero"):
        ArtSubject(number, datetime(2026, 11, 20, tzinfo=ZoneInfo("Europe/Paris"))).write()
