"""dLOI: the increments of the card opposition list, and a practitioner's request for those it lacks (O1).

No public layout exists; what is read is assumption A8: both are framed files; an increment carries its number in its
header, six digits (layout `dloi_increment`), and is opaque otherwise; a request carries the last number held (layout
`dloi_request`). Fails with FormatError `dloi-numero` or `zone-non-numerique`, or one of `oct.formats.frame`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oct.errors import FormatError, Place
from oct.formats.frame import ReturnFrame, read_frame
from oct.formats.layouts import Layouts


@dataclass(frozen=True, slots=True)
class Increment:
    """An increment as its issuer sent it."""

    frame: ReturnFrame
    number: int


@dataclass(frozen=True, slots=True)
class IncrementRequest:
    """A practitioner's request: `last_held` is 0 when it holds none, `ps_number` None when the sender is not a PS."""

    frame: ReturnFrame
    ps_number: str | None
    last_held: int


def read_increment(data: bytes, layouts: Layouts) -> Increment:
    """The number of an increment (A8). FormatError `dloi-numero` when there is none."""
    frame = read_frame(data, layouts)
    layout = layouts["dloi_increment"]
    number = layout.text(frame.header, "number")
    if not (number.isascii() and number.isdigit()):
        place = Place(1, layout.fields["number"].first)
        raise FormatError("dloi-numero", "L'incrément de dLOI ne porte pas de numéro.", place=place)
    return Increment(frame, int(number))


def read_request(data: bytes, layouts: Layouts) -> IncrementRequest:
    """A request for increments. FormatError `zone-non-numerique` when it does not say which one is the last held."""
    frame = read_frame(data, layouts)
    last_held = layouts["dloi_request"].number(frame.header, "last_held", record_number=1, rule="O1")
    return IncrementRequest(frame, frame.sender_ps_number, last_held)


def missing_increments(last_held: int, available: Iterable[int]) -> list[int]:
    """The numbers to send to who holds everything up to `last_held`: the later ones, oldest first, each once."""
    return sorted({number for number in available if number > last_held})
