"""The 000 and 999 around every return."""

from __future__ import annotations

import pytest

from oct.errors import FormatError
from oct.formats.frame import check_return, ps_number, read_frame, write_header, write_trailer
from tests.return_cases import ALPHA, LAYOUTS, TO_ALPHA, TO_CONCENTRATOR, golden

TRAILER = write_trailer(TO_ALPHA, LAYOUTS, records=2, lots=0)


def test_a_frame_is_read_as_it_was_built_by_hand() -> None:
    frame = read_frame(golden("rsp-one-stream"), LAYOUTS)
    said = (frame.sender_type, frame.sender_number, frame.recipient_type, frame.recipient_number)
    assert said == ("CT", "00000001011011", "TP", ALPHA.zfill(14))
    assert (frame.application, frame.file_id, frame.created_on, frame.norm, frame.norm_version) == (
        "RN",
        "000042",
        "250310",
        "580",
        "B2",
    )
    assert (frame.currency, frame.flow) == ("U", "")
    assert frame.recipient_ps_number == ALPHA


def test_the_body_of_a_frame_need_not_be_a_multiple_of_128() -> None:
    data = write_header(TO_ALPHA, LAYOUTS) + b"seven b" + TRAILER
    assert bytes(read_frame(data, LAYOUTS).body) == b"seven b"


def test_a_concentrator_is_not_taken_for_a_practitioner() -> None:
    assert TO_CONCENTRATOR.recipient_ps_number is None


@pytest.mark.parametrize(("digits", "number"), [("00000101234567", ALPHA), ("0" * 14, None), ("", None), ("12A", None)])
def test_a_practitioner_s_number_is_the_nine_digits_on_the_right(digits: str, number: str | None) -> None:
    assert ps_number(digits) == number


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"000", "cadre-trop-court"),
        (b"x" * 256, "cadre-sans-000"),
        (b"000" + b" " * 300, "cadre-sans-999"),
        (write_header(TO_CONCENTRATOR, LAYOUTS) + TRAILER, "cadre-contradictoire"),
    ],
)
def test_a_broken_frame_is_refused_by_its_code(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_frame(data, LAYOUTS)
    assert caught.value.code == code


def test_a_trailer_that_repeats_nothing_contradicts_nothing() -> None:
    data = write_header(TO_ALPHA, LAYOUTS) + b"999".ljust(128)
    assert read_frame(data, LAYOUTS).recipient_ps_number == ALPHA


@pytest.mark.parametrize(("at", "code"), [(3, "cadre-emetteur"), (25, "cadre-destinataire")])
def test_a_return_goes_from_an_insurer_to_a_practitioner_or_the_concentrator(at: int, code: str) -> None:
    header = bytearray(write_header(TO_ALPHA, LAYOUTS))
    header[at : at + 2] = b"XX"
    frame = read_frame(bytes(header) + b"999".ljust(128), LAYOUTS)
    with pytest.raises(FormatError) as caught:
        check_return(frame)
    assert caught.value.code == code
