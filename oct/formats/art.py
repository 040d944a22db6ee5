"""The envelope of a receipt (ART): Subject, Content-Description and file name; its text is the domain's.

Source: annex 7.2, assumption A13. A number that does not fit or a type that is not two letters is a `FormatError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from oct.errors import FormatError
from oct.formats.subject import ART_NUMBER_WIDTH, ArtSubject

_TYPE = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class ArtEnvelope:
    """What stands around the text of an ART; `filename` ends in `.txt`."""

    subject: str
    description: str
    filename: str


def art_envelope(number: str, profession: str, at: datetime, *, width: int = ART_NUMBER_WIDTH) -> ArtEnvelope:
    """The envelope for a PS `number` (digits) and type (`IF`, `MK`…), at a time already in Europe/Paris."""
    if not _TYPE.fullmatch(profession):
        raise FormatError("art-type", "Le type de praticien d'un accusé de réception technique a deux lettres.")
    subject = ArtSubject(number, at, width).write()
    return ArtEnvelope(subject, f"ART/{profession}", f"{subject.replace('/', '_')}.txt")
