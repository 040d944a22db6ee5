"""Increments of the opposition list and requests for them (O1, A8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oct.errors import FormatError
from oct.formats.dloi import missing_increments, read_increment, read_request
from oct.formats.frame import FrameFields, write_header, write_trailer
from oct.formats.layouts import Layouts
from tests.return_cases import ALPHA, LAYOUTS, ROOT, TO_ALPHA

REQUEST = replace(TO_ALPHA, sender_type="TP", sender_number=ALPHA.zfill(14), recipient_type="OT", message_zone="000041")


def framed(fields: FrameFields, body: bytes = b"") -> bytes:
    return write_header(fields, LAYOUTS) + body + write_trailer(fields, LAYOUTS, records=2, lots=0)


def test_an_increment_carries_its_number_and_is_opaque_otherwise() -> None:
    increment = read_increment(framed(replace(TO_ALPHA, file_id="000042"), b"\x00anything@"), LAYOUTS)
    assert increment.number == 42
    assert bytes(increment.frame.body) == b"\x00anything@"


def test_an_increment_without_a_number_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        read_increment(framed(replace(TO_ALPHA, file_id="ABC")), LAYOUTS)
    assert (caught.value.code, str(caught.value.place)) == ("dloi-numero", "enregistrement 1, position 50")


def test_a_request_names_its_practitioner_and_the_last_increment_held() -> None:
    request = read_request(framed(REQUEST), LAYOUTS)
    assert (request.ps_number, request.last_held) == (ALPHA, 41)


def test_a_request_that_names_no_increment_is_refused() -> None:
    with pytest.raises(FormatError, match="zone-non-numerique"):
        read_request(framed(replace(REQUEST, message_zone="")), LAYOUTS)


def test_where_a_request_names_the_last_increment_is_a_setting_a8() -> None:
    text = (ROOT / "config" / "layouts.toml").read_text()
    moved = Layouts.from_toml(text.replace("last_held = { at = [92, 97]", "last_held = { at = [93, 97]"))
    assert read_request(framed(replace(REQUEST, message_zone="900041")), moved).last_held == 41


def test_a_practitioner_gets_the_increments_after_the_last_held_oldest_first_and_once() -> None:
    assert missing_increments(41, [44, 40, 42, 41, 43, 42]) == [42, 43, 44]
    assert missing_increments(44, [40, 44]) == []
