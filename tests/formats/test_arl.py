"""ARL as assumption A2 lays it out, against files built by hand."""

from __future__ import annotations

import json
from dataclasses import astuple

import pytest

from oct.errors import FormatError
from oct.formats.arl import ArlFile, ArlLot, read_arl
from oct.simulators.return_files import arl
from tests.return_cases import ALPHA, GOLDEN, LAYOUTS, TO_ALPHA, golden

ACCEPTED = ArlLot(ALPHA, "011", "101", "250301", positive=True)
REFUSED = ArlLot(ALPHA, "011", "102", "250302", positive=False, code="1070", label="LOT DEJA RECU")


def test_a_hand_made_arl_of_lots_is_read_as_its_json_says() -> None:
    expected = json.loads((GOLDEN / "arl-lots.json").read_text())["lots"]
    read = read_arl(golden("arl-lots"), LAYOUTS)
    assert [list(astuple(lot)) for lot in read.lots] == expected
    assert read.file is None


def test_a_hand_made_arl_of_a_file_is_read_as_its_json_says() -> None:
    expected = json.loads((GOLDEN / "arl-file.json").read_text())["file"]
    read = read_arl(golden("arl-file"), LAYOUTS)
    assert read.file is not None
    assert (read.lots, list(astuple(read.file))) == ((), expected)


@pytest.mark.parametrize("lots", [(ACCEPTED,), (ACCEPTED, REFUSED)])
def test_an_arl_of_lots_reads_back(lots: tuple[ArlLot, ...]) -> None:
    assert read_arl(arl(TO_ALPHA, lots, LAYOUTS), LAYOUTS).lots == lots


@pytest.mark.parametrize("file", [ArlFile("000123", positive=True), ArlFile("000124", positive=False, code="0404")])
def test_an_arl_of_a_file_reads_back(file: ArlFile) -> None:
    assert read_arl(arl(TO_ALPHA, file, LAYOUTS), LAYOUTS).file == file


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"00000006", b"00000007", "arl-compteur"),
        (b"7N1070", b"7X1070", "arl-statut"),
        (b"7N1070", b"8N1070", "arl-enregistrement"),
        (b"7P", b"7P ", "arl-longueur"),
        (ALPHA.encode() + b"      011102", b"10123456X      011102", "zone-non-numerique"),
    ],
)
def test_what_is_not_such_an_arl_is_told_by_its_code(old: bytes, new: bytes, code: str) -> None:
    data = golden("arl-lots")
    assert old in data
    with pytest.raises(FormatError) as caught:
        read_arl(data.replace(old, new, 1), LAYOUTS)
    assert caught.value.code == code


def test_a_return_of_another_application_is_not_an_arl() -> None:
    with pytest.raises(FormatError, match="arl-application"):
        read_arl(golden("rsp-one-stream"), LAYOUTS)


def test_a_fault_is_placed_by_record_and_position() -> None:
    with pytest.raises(FormatError) as caught:
        read_arl(golden("arl-lots").replace(b"7N", b"7X"), LAYOUTS)
    assert str(caught.value.place) == "enregistrement 5, position 2"
