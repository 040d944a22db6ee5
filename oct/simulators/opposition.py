"""The card opposition list as a simulated issuer and a simulated practitioner write it: increments, requests (A8)."""

from __future__ import annotations

from dataclasses import replace

from oct.formats.frame import FrameFields, write_header, write_trailer
from oct.formats.layouts import RECORD, Layouts
from oct.simulators.parties import Sender

_LINES = 3


def increment(number: int, concentrator: str, created_on: str, layouts: Layouts) -> bytes:
    """An increment of `number`, from an issuer to the concentrator (14 digits); `created_on` is AAMMJJ."""
    fields = FrameFields(
        sender_type="EN",
        sender_number="1".rjust(14, "0"),
        recipient_type="OT",
        recipient_number=concentrator,
        application="DL",
        file_id=f"{number:06d}",
        created_on=created_on,
    )
    body = f"OPPOSITION {number:06d}".ljust(RECORD).encode("ascii") * _LINES
    return _framed(fields, body, layouts)


def request(sender: Sender, last_held: int, concentrator: str, created_on: str, layouts: Layouts) -> bytes:
    """A practitioner's request for what follows the increment it holds."""
    fields = FrameFields(
        sender_type="TP",
        sender_number=sender.header_number,
        recipient_type="OT",
        recipient_number=concentrator,
        application="DD",
        file_id="D00001",
        created_on=created_on,
    )
    return _framed(replace(fields, message_zone=f"{last_held:06d}"), b"", layouts)


def _framed(fields: FrameFields, body: bytes, layouts: Layouts) -> bytes:
    records = len(body) // RECORD + 2
    return write_header(fields, layouts) + body + write_trailer(fields, layouts, records=records, lots=1)
