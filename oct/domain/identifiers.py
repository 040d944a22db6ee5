"""What a text that somebody types can name: the identifiers that a practitioner or a caisse gives, told by shape (J1).

Pure. Any text gives its possible meanings, several when the shape is shared (nine digits are a practitioner's number or
an invoice's), none when it names nothing: too long, not of these letters. What has no meaning may be anything, a
patient's name as well, and is never repeated in a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_LONGEST = 300
_PS_LENGTH = 9
_ANGLES = "<>"
_SEPARATORS = re.compile(r"[\s\u2010-\u2015-]")
"""Blanks, hyphens and dashes, as PDF readers and telephones write them into numbers."""
_CROCKFORD = str.maketrans("OIL", "011")
_PSEUDONYM = re.compile("[0-9A-F]{32}")
_NIR = re.compile("([1-8][0-9]{5}[0-9AB][0-9]{6})(?:[0-9]{2})?")
_ADDRESS = re.compile(r"[!-;=?-~]{1,250}@[!-;=?-~]{1,250}")


class Kind(StrEnum):
    """What an identifier names."""

    TRACE = "suivi"
    COMPOSTAGE = "compostage"
    MESSAGE_ID = "message-id"
    ADDRESS = "adresse"
    FILE = "fichier"
    LOT = "lot"
    INVOICE = "facture"
    PRACTITIONER = "ps"
    AMC = "amc"
    AMO = "amo"
    PATIENT = "patient"
    """A keyed pseudonym, 32 hexadecimal digits (J4)."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing that a text can name. `ps_number` and `date` (AAMMJJ) narrow a lot or an invoice, empty when not given;
    a trace number is written `XXXXXX-XXXXXXXX`, an AMO's code régime (2), organism (3) and, when it is given, computer
    centre (3)."""

    kind: Kind
    value: str
    ps_number: str = ""
    date: str = ""


def meanings(text: str) -> tuple[Meaning, ...]:
    """Everything that a text can name, the likeliest first."""
    text = text.strip()
    if len(text) > _LONGEST or not text.isprintable():
        return ()
    if "@" in text:
        return tuple(_addresses(text.strip(_ANGLES)))
    if "/" in text:
        return tuple(_narrowed([part.strip() for part in text.split("/")]))
    code = _SEPARATORS.sub("", text).upper()
    if _PSEUDONYM.fullmatch(code):
        return (Meaning(Kind.PATIENT, code.lower()),)
    return tuple(_codes(code)) if re.fullmatch("[0-9A-Z]{1,19}", code) else ()


def nir_in(text: str) -> bytes | None:
    """The 13 characters of an NIR, when that is what was typed, with its key or without; None otherwise."""
    match = _NIR.fullmatch(_SEPARATORS.sub("", text).upper())
    return None if match is None else match[1].encode("ascii")


def _addresses(text: str) -> Iterator[Meaning]:
    if _ADDRESS.fullmatch(text):
        yield Meaning(Kind.MESSAGE_ID, text)
        yield Meaning(Kind.ADDRESS, text.lower())


def _narrowed(parts: list[str]) -> Iterator[Meaning]:
    """`PS/lot/date`, `PS/lot`, `PS/invoice`, `régime/organism/centre`, `régime/organism`."""
    if not all(re.fullmatch("[0-9A-Za-z]{1,9}", part) for part in parts):
        return
    first, second, *rest = parts
    if len(first) != _PS_LENGTH:
        if [len(part) for part in parts] in ([2, 3], [2, 3, 3]):
            yield Meaning(Kind.AMO, "".join(parts).upper())
    elif not rest:
        if len(second) == 3:
            yield Meaning(Kind.LOT, second, ps_number=first)
        yield Meaning(Kind.INVOICE, second.upper().zfill(9), ps_number=first)
    elif len(rest) == 1 and re.fullmatch("[0-9]{6}", rest[0]):
        yield Meaning(Kind.LOT, second, ps_number=first, date=rest[0])


def _codes(code: str) -> Iterator[Meaning]:
    digits = code.isdecimal()
    if len(code) == 19 and digits:
        yield Meaning(Kind.COMPOSTAGE, code)
    if len(code) == 14:
        spelt = code.translate(_CROCKFORD)
        yield Meaning(Kind.TRACE, f"{spelt[:6]}-{spelt[6:]}")
    if len(code) == 9 and digits:
        yield Meaning(Kind.PRACTITIONER, code)
    if len(code) <= 9:
        yield Meaning(Kind.INVOICE, code.zfill(9))
    if len(code) == 3:
        yield Meaning(Kind.LOT, code)
    if len(code) == 6:
        yield Meaning(Kind.FILE, code)
    if len(code) in (5, 8) and digits:
        yield Meaning(Kind.AMO, code)
    if 8 <= len(code) <= 10 and digits:
        yield Meaning(Kind.AMC, code.zfill(10))
