"""The frames of the files that leave (L5, C4, A9 to A11)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oct.domain.conventions import FileSender
from oct.domain.outgoing import OutgoingFile
from oct.domain.splitting import plan_file
from oct.formats.b2 import read_file
from tests.claims import (
    ACCOUNT,
    DIRECTORY,
    LAYOUTS,
    OCT_NUMBER,
    PS,
    Batch,
    Claim,
    claim_file,
    context,
    dre,
    outgoing,
    record,
)

RECEIVED = claim_file(Batch((Claim(1), Claim(2))), Batch((dre(3),), 2), Batch((Claim(4),), 3), norm="PH")


def made(rank: int, **changes: Any) -> OutgoingFile:
    """The file of the parcel at that rank."""
    rules = context(**changes)
    file = read_file(RECEIVED, LAYOUTS)
    return outgoing(file, plan_file(file, ACCOUNT, rules).parcels[rank], rules, "C00042")


def test_a_file_for_an_amo_is_framed_by_the_concentrator_position_by_position() -> None:
    """L5, A9, A10."""
    same: list[tuple[int, str | bytes]] = [
        (4, "OT"), (6, OCT_NUMBER), (26, "CT"), (28, "00000001422422"), (48, "TR"), (50, "C00042"),
    ]  # fmt: skip
    content = made(0).content
    assert content[:128] == record(
        (1, "000"), *same, (42, "000000"), (56, "261121"), (62, "PH"), (66, "B2"), (83, "128")
    )
    assert content[-128:] == record((1, "999"), *same, (56, "00000015"), (83, "002"))
    assert content[128:-128] == Batch((Claim(1), Claim(2))).content() + Batch((Claim(4),), 3).content()


def test_a_file_for_an_amc_names_it_in_its_header() -> None:
    """A11."""
    file = read_file(made(1).content, LAYOUTS)
    assert (file.recipient_type, file.recipient_number, file.application) == ("OC", "00000099999991", "TA")
    assert (file.sender_type, file.sender_number) == ("OT", OCT_NUMBER)


def test_what_leaves_says_its_sender_file_id_and_invoices_for_the_subject() -> None:
    leaving = made(0)
    assert (leaving.file_id, leaving.sender_number, leaving.invoice_count) == ("C00042", OCT_NUMBER, 3)


def test_the_sender_for_an_amo_is_a_setting() -> None:
    """A9: the practitioner stands as sender toward the AMO, never toward an AMC."""
    to_amo, to_amc = made(0, amo_sender=FileSender.PS), made(1, amo_sender=FileSender.PS)
    file = read_file(to_amo.content, LAYOUTS)
    assert (file.sender_type, file.sender_number, to_amo.sender_number) == ("TP", f"{PS:0>14}", f"{PS:0>14}")
    assert to_amc.sender_number == OCT_NUMBER


@pytest.mark.parametrize(
    ("rank", "setting"), [(0, {"amo_application": "TX"}), (1, {"amc_application": "TX"})], ids=["A10", "A11"]
)
def test_the_application_codes_are_settings(rank: int, setting: dict[str, str]) -> None:
    """A10, A11."""
    assert read_file(made(rank, **setting).content, LAYOUTS).application == "TX"
    assert read_file(made(1 - rank, **setting).content, LAYOUTS).application != "TX"


def test_the_type_of_an_amc_without_one_in_the_directory_is_a_setting() -> None:
    """A11: and its number is filled with zeros."""
    bare = replace(DIRECTORY.insurers[11], recipient_type="", recipient_number="")
    directory = replace(DIRECTORY, insurers={**DIRECTORY.insurers, 11: bare})
    usual = read_file(made(1, directory=directory).content, LAYOUTS)
    changed = read_file(made(1, directory=directory, amc_type="CS").content, LAYOUTS)
    assert (usual.recipient_type, usual.recipient_number) == ("OC", "00000099999991")
    assert (changed.recipient_type, changed.recipient_number) == ("CS", "00000099999991")
