"""One file for an insurer out of several that were built for it (A15): what may go together, the file, its check.

Only files that the concentrator builds are grouped, never one that is passed on as it came (S1) or that keeps its
practitioner's header (C4). Lots keep every byte and their order of arrival (L1, L2). What fails the check is a defect
of the program: the files wait for a person. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from oct.domain.outgoing import OutgoingFile
from oct.errors import ConservationError, FormatError
from oct.formats.b2 import MAX_LOTS, framed, read_file
from oct.formats.layouts import RECORD, Layouts

MOST_BYTES = 16 << 20
"""Of files that leave as one: an insurer's mail server must take them. One file alone may be larger."""


class Sized(Protocol):
    """A file that waits, by its bytes and lots."""

    @property
    def size(self) -> int: ...

    @property
    def lot_count(self) -> int: ...


_One = TypeVar("_One", bound=Sized)


def gathering_key(content: bytes, insurer_id: int, version: str, *, derived: bool, layouts: Layouts) -> str:
    """What files that leave as one have in common, 64 characters: insurer, sender, norm and all else that the 000 says
    but for its id and dates; version of the cahier des charges; and whether their ARL is the concentrator's (C6)."""
    header = _undated(content[:RECORD], layouts)
    return hashlib.sha256(f"{insurer_id}/{version}/{derived}/".encode() + header).hexdigest()


def bunches(waiting: Sequence[_One]) -> Iterator[list[_One]]:
    """Files in order, together as long as they hold 999 lots at most (L5) and are not too large. None is cut."""
    bunch: list[_One] = []
    lots = size = 0
    for one in waiting:
        if bunch and (lots + one.lot_count > MAX_LOTS or size + one.size > MOST_BYTES):
            yield bunch
            bunch, lots, size = [], 0, 0
        bunch.append(one)
        lots, size = lots + one.lot_count, size + one.size
    if bunch:
        yield bunch


def group(contents: Sequence[bytes], *, file_id: str, today: str, layouts: Layouts) -> OutgoingFile:
    """One file of the lots of several, which share a key: the 000 of the first, a new id, today's date (AAMMJJ)."""
    files = [read_file(content, layouts) for content in contents]
    header = layouts["file_header"].patch(contents[0][:RECORD], file_id=file_id, created_on=today)
    pieces = framed(header, [file.view(lot) for file in files for lot in file.lots], layouts)
    sender = layouts["file_header"].text(header, "sender_number")
    return OutgoingFile(pieces, file_id, sender, sum(file.invoice_count for file in files))


def check_group(made: bytes, contents: Sequence[bytes], digests: Sequence[bytes], layouts: Layouts) -> None:
    """Raises ConservationError unless the file holds the lots of these digests, in their order, and nothing besides.

    `digests` (SHA-256) were written down when the lots were received and split, long before the file was made.
    """
    try:
        again = read_file(made, layouts)
    except FormatError as error:
        raise _lost("le fichier groupé ne se relit pas") from error
    if [hashlib.sha256(again.view(lot)).digest() for lot in again.lots] != list(digests):
        raise _lost("les lots du fichier groupé ne sont pas ceux qui attendaient")
    expected = _undated(made[:RECORD], layouts)
    if any(_undated(content[:RECORD], layouts) != expected for content in contents):
        raise _lost("des fichiers d'entêtes différentes sont groupés")
    if len(again.lots) > MAX_LOTS:
        raise _lost("un envoi n'a pas de 1 à 999 lots")


def _undated(header: bytes, layouts: Layouts) -> bytes:
    return layouts["file_header"].patch(header, file_id="", created_on="")


def _lost(what: str) -> ConservationError:
    return ConservationError("conservation", f"Contrôle de conservation : {what}.", rule="L1")
