"""The Subject of a message: of a file of invoices, read and written, and of a receipt (ART), written.

`SVvvvvvv/exercice/compostage/nnnnn` is the one place where a message in clear says who speaks: version of the
cahier des charges (6 digits), sender number of the file (14 digits), compostage (19 digits) and count of invoices
(5 digits). The compostage is never what identifies a lot (M5): a file that is sent again carries another one.

A Subject that does not follow the grammar is a `FormatError` whose code names the faulty part.
Source: annex 7.1 and 7.2, assumption A13.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from oct.errors import FormatError

PS_DIGITS = 9
ART_NUMBER_WIDTH = 14
"""Width of the PS number in the Subject of an ART (A13)."""

VERSION_UNKNOWN = "000000"
_MODEL = "SVvvvvvv/exercice/compostage/nnnnn"
_WRITTEN = re.compile(r"SV[0-9]{6}/[0-9]{14}/[0-9]{19}/[0-9]{5}")


@dataclass(frozen=True, slots=True)
class FactureSubject:
    """The four parts: `version` 6 digits, `sender` 14, `compostage` 19, `count` of invoices or records below 100000."""

    version: str
    sender: str
    compostage: str
    count: int

    def write(self) -> str:
        """The Subject. FormatError when a part does not have its number of digits."""
        text = f"SV{self.version}/{self.sender}/{self.compostage}/{self.count:05d}"
        if not _WRITTEN.fullmatch(text):
            read_subject(text)  # raises what is wrong with which part
        return text


def read_subject(text: str) -> FactureSubject:
    """Reads a Subject, already unfolded and decoded. `SV` is read without case, blanks around each part are ignored."""
    parts = [part.strip() for part in text.split("/")]
    if len(parts) != 4 or parts[0][:2].upper() != "SV":
        raise FormatError("objet-illisible", f"L'objet du message n'a pas la forme {_MODEL}.")
    version, sender, compostage, count = parts
    return FactureSubject(
        version=_digits(version[2:], 6, "objet-version", "la version du cahier des charges"),
        sender=_digits(sender, 14, "objet-emetteur", "le numéro de l'émetteur"),
        compostage=_digits(compostage, 19, "objet-compostage", "le compostage"),
        count=int(_digits(count, 5, "objet-nombre", "le nombre de factures")),
    )


def version_in(text: str) -> str:
    """The version of the cahier des charges that a Subject gives; zeros when it cannot be read."""
    try:
        return read_subject(text).version
    except FormatError:
        return VERSION_UNKNOWN


def ps_number(sender: str) -> str:
    """The PS's 9 digits out of the 14 of a sender number (5 zeros before them).

    FormatError when it is another kind of number: cutting it would make it somebody else's.
    """
    filled = _digits(sender, 14, "objet-emetteur", "le numéro de l'émetteur")
    if not filled.startswith("00000"):
        raise FormatError(
            "emetteur-non-praticien", "Le numéro de l'émetteur n'est pas celui d'un praticien.", rule="M4"
        )
    return filled[-PS_DIGITS:]


@dataclass(frozen=True, slots=True)
class ArtSubject:
    """Subject of an ART: the PS `number` (digits) and the time `at`, aware and already in Europe/Paris."""

    number: str
    at: datetime
    width: int = ART_NUMBER_WIDTH

    def write(self) -> str:
        """`ART/` number filled with zeros to `width` `/aaaammjjhhmm`. FormatError when the number does not fit."""
        if not _is_digits(self.number) or len(self.number) > self.width:
            raise FormatError("art-numero", f"Le numéro du praticien doit tenir en {self.width} chiffres.")
        return f"ART/{self.number.zfill(self.width)}/{self.at:%Y%m%d%H%M}"


def _digits(text: str, width: int, code: str, what: str) -> str:
    if len(text) != width or not _is_digits(text):
        raise FormatError(code, f"Objet du message : {what} doit compter {width} chiffres.", rule="M4")
    return text


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
