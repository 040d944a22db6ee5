"""The kinds of values that forms and addresses carry, with the bounds of the database: beyond them, 422.

Neither database takes every text or number that a request can hold: NUL, or an integer of more than 63 bits.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Path
from pydantic import AfterValidator


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("signe interdit")
    return text


def _label(text: str) -> str:
    label = " ".join(text.split())
    if not label:
        raise ValueError("vide")
    return label


Text = Annotated[str, Form(max_length=256), AfterValidator(_printable)]
"""A field on one line, as it was typed."""
Label = Annotated[str, Form(max_length=80), AfterValidator(_printable), AfterValidator(_label)]
"""A name to show: 1 to 80 characters, no space too many."""
Tick = Annotated[bool, Form()]
"""A box to tick."""
RowNumber = Annotated[int, Path(ge=1, lt=2**63)]
"""The number of a row, in an address."""
