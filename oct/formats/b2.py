"""Claim files of the B2 norm: reads one whole, keeps its lots as slices of the received bytes, writes new frames.

A file is 000, lots, 999. Reading checks all that rule L7 names and says where: the record's number and the position
in it. A lot is never written again field by field, because its seals were made on the practitioner's workstation
(L1). The lots themselves are read by `oct.formats.b2_lots`.

Source: public tables of the B2 norm, in `config/layouts.toml`. Any bytes give a `B2File` or a `FormatError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

from oct.errors import Place
from oct.formats.b2_lots import Invoice, Lot, LotReader, fault
from oct.formats.layouts import RECORD, Cut, Layouts, Writer, cut_characters

__all__ = ["MAX_LOTS", "B2File", "Invoice", "Lot", "framed", "read_file", "read_lots", "write_file"]

MAX_LOTS = 999
"""What the 3-digit lot counter of the 999 trailer can count (L5)."""

_SHARED = ("sender_type", "sender_number", "recipient_type", "recipient_number", "application", "file_id")
"""What 000 and 999 both say: who sends what to whom."""

_NO_LOT = b"9" * RECORD
"""Stands after bare lots where a file has its 999."""


@dataclass(frozen=True, slots=True)
class B2File:
    """A well-formed file. `data` is what was received, untouched."""

    data: bytes
    sender_type: str
    sender_number: str
    recipient_type: str
    recipient_number: str
    application: str
    file_id: str
    norm: str
    lots: tuple[Lot, ...]

    def content(self, part: Lot | Invoice) -> bytes:
        """The received bytes of a lot or of an invoice."""
        return self.data[part.start : part.stop]

    def view(self, part: Lot | Invoice) -> memoryview:
        """The same bytes where they are, not copied: the lots of a large file would be a second file."""
        return memoryview(self.data)[part.start : part.stop]

    @property
    def establishment(self) -> bool:
        """Whether it follows the establishments' variant."""
        return self.norm == "CP"

    @property
    def record_count(self) -> int:
        """Records of the file, 000 and 999 included."""
        return len(self.data) // RECORD

    @property
    def invoice_count(self) -> int:
        """Invoices over all lots."""
        return sum(len(lot.invoices) for lot in self.lots)


def read_file(data: bytes, layouts: Layouts) -> B2File:
    """Reads a whole file, or raises a FormatError of rule L7 with its place. Linear in the number of records."""
    _check_envelope(data)
    header, first = layouts["file_header"], data[:RECORD]
    norm = header.text(first, "norm")
    lots = tuple(LotReader(data, RECORD, layouts, establishment=norm == "CP").lots())
    _check_counters(data, len(lots), layouts)
    opening, closing = _cuts(layouts)
    if opening(first) != closing(data[-RECORD:]):
        _check_same_sending(data, layouts)
    sender_type, sender, recipient_type, recipient, application, file_id = cut_characters(opening, first)
    return B2File(data, sender_type, sender, recipient_type, recipient, application, file_id, norm, lots)


def read_lots(data: bytes, layouts: Layouts, *, establishment: bool) -> tuple[Lot, ...]:
    """Reads bare lots, one after the other without 000 and 999: what a hold keeps. Offsets are those in `data`."""
    if not data or len(data) % RECORD:
        raise fault("longueur", "La longueur d'un lot doit être un multiple de 128.", Place())
    return tuple(LotReader(data + _NO_LOT, 0, layouts, establishment=establishment).lots())


def write_file(
    header: bytes, lots: Iterable[bytes | memoryview], layouts: Layouts, *, trailer: bytes | None = None
) -> bytes:
    """A file around lots, as `framed` gives its pieces."""
    return b"".join(framed(header, lots, layouts, trailer=trailer))


def framed(
    header: bytes, lots: Iterable[bytes | memoryview], layouts: Layouts, *, trailer: bytes | None = None
) -> tuple[bytes | memoryview, ...]:
    """The pieces of a file: the given 000 record, the lots as they are, a 999 with counters recomputed (L5).

    The 999 record is the given one, or a new one that names the same sending as the header.
    """
    body = list(lots)
    records, count = sum(map(len, body)) // RECORD + 2, len(body)
    if trailer is None:
        opening, _ = _cuts(layouts)
        last = _trailer_writer(layouts)(*cut_characters(opening, header), records, count)
    else:
        last = layouts["file_trailer"].patch(trailer, record_count=records, lot_count=count)
    return (header, *body, last)


def _check_envelope(data: bytes) -> None:
    if not data:
        raise fault("fichier-vide", "Le fichier est vide.", Place())
    if not data.startswith(b"000"):
        sentence = "Ce n'est pas un fichier B2 : il ne commence pas par un enregistrement 000."
        raise fault("pas-b2", sentence, Place(1, 1))
    whole, rest = divmod(len(data), RECORD)
    if rest:
        sentence = f"La longueur du fichier ({len(data)} octets) n'est pas un multiple de 128 : il est coupé."
        raise fault("longueur", sentence, Place(whole + 1, rest + 1))
    if not data.startswith(b"999", len(data) - RECORD):
        sentence = "Le fichier est coupé : son dernier enregistrement n'est pas un 999."
        raise fault("sans-999", sentence, Place(whole, 1))
    if whole == 2:
        raise fault("aucun-lot", "Le fichier ne contient aucun lot.", Place(2, 1))


def _check_counters(data: bytes, lots: int, layouts: Layouts) -> None:
    trailer, last, number = layouts["file_trailer"], data[-RECORD:], len(data) // RECORD
    for name, counted, what in (("record_count", number, "enregistrements"), ("lot_count", lots, "lots")):
        raw = trailer.raw(last, name)
        if raw.isdigit() and int(raw) == counted:
            continue
        place = Place(number, trailer.fields[name].first)
        if not raw.isdigit():
            raise fault("zone-non-numerique", f"Le compteur des {what} du 999 doit être numérique.", place)
        sentence = f"Le compteur des {what} du 999 indique {int(raw)}, le fichier en contient {counted}."
        raise fault("compteur-faux", sentence, place)


@lru_cache(maxsize=8)
def _cuts(layouts: Layouts) -> tuple[Cut, Cut]:
    """What 000 and 999 share, cut from the one and from the other."""
    return itemgetter(*map(layouts["file_header"].at, _SHARED)), itemgetter(*map(layouts["file_trailer"].at, _SHARED))


@lru_cache(maxsize=8)
def _trailer_writer(layouts: Layouts) -> Writer:
    return layouts["file_trailer"].writer(*_SHARED, "record_count", "lot_count")


def _check_same_sending(data: bytes, layouts: Layouts) -> None:
    """The 999 names the sending that the 000 names, though it may pad its values differently."""
    header, trailer = layouts["file_header"], layouts["file_trailer"]
    first, last = data[:RECORD], data[-RECORD:]
    for name in _SHARED:
        if _unpadded(header.raw(first, name)) != _unpadded(trailer.raw(last, name)):
            sentence = "Le 999 contredit le 000 : ils ne nomment pas le même envoi."
            raise fault("999-contredit-000", sentence, Place(len(data) // RECORD, trailer.fields[name].first))


def _unpadded(raw: bytes) -> bytes:
    return raw.strip().lstrip(b"0")
