"""The lots of a B2 file: walks the records between 000 and 999 once and gives each lot as a slice of the bytes.

A lot is 1, invoices, 6; an invoice is 2, its complements 2x, its acts 4, 5. The reader checks what rule L7 names
(order, counters, totals, trailers that contradict their headers) and says where. It reads only what routing and
receipts need: an invoice costs one cut of its first record and one of its last, the records between them one
comparison each. Everything that depends on the layouts is prepared once and kept.

The establishments' variant (norm CP) has its invoice numbers elsewhere and records 3; what its public tables do not
give is opaque here: neither acts, amounts nor contracts are read from its invoices, and only its frames are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from oct.errors import FormatError, Place
from oct.formats.layouts import RECORD, Cut, Layout, Layouts, characters, cut_characters

_ONE, _TWO, _FOUR, _FIVE, _SIX = b"12456"
_BLANK, _AMC = b" M"
_OPAQUE = b"234"
"""Types of the records inside an invoice of an establishment, which are only counted."""

_FRENCH = {
    "invoice_count": "nombre de factures",
    "line_count": "nombre d'actes",
    "type2_count": "nombre d'enregistrements 2",
    "type5_count": "nombre d'enregistrements 5",
    "billed_total": "total facturé",
    "amo_total": "total de la part AMO",
    "amc_total": "total de la part AMC",
    "patient_total": "total de la part du patient",
}
"""What a practitioner reads for the fields that may be at fault."""


class Invoice(NamedTuple):
    """An invoice of a lot. `start` and `stop` are offsets in the file's bytes; amounts are centimes.

    Like `Lot` a named tuple: a large file makes a hundred thousand of them, and a frozen dataclass costs three times
    as much to make.
    """

    number: str
    start: int
    stop: int
    kind: str
    """`F` FSE, `D` DRE, blank outside SESAM-Vitale (A1)."""
    regime: str
    caisse: str
    centre: str
    contract: str
    """Group 1321 field 1; empty for an establishment."""
    settlement: str
    ps_split: str
    amc_number: str
    """Number of the AMC in record 2M, empty without one."""
    billed: int
    amo: int
    amc: int
    patient: int


class Lot(NamedTuple):
    """A lot: its place in the file's bytes and what its header and trailer say. `rank` counts from 0."""

    rank: int
    start: int
    stop: int
    ps_number: str
    organism: str
    number: str
    created_on: str
    norm_code: str
    marking: str
    kind: str
    """Mark of the trailer: what it holds, FSE or DRE, for the operator who tells them apart by it (A1)."""
    invoices: tuple[Invoice, ...]
    billed: int
    amo: int
    amc: int
    counts_complements: bool
    """Which convention its type2_count follows (A12)."""

    @property
    def record_count(self) -> int:
        """Records of the lot, 1 and 6 included."""
        return (self.stop - self.start) // RECORD


def fault(code: str, sentence: str, place: Place) -> FormatError:
    """A breach of rule L7."""
    return FormatError(code, sentence, place=place, rule="L7")


class LotReader:
    """Reads the lots from `offset` on, up to a record that belongs to no lot: 999, or what stands for it."""

    def __init__(self, data: bytes, offset: int, layouts: Layouts, *, establishment: bool) -> None:
        self._data = data
        self._offset = offset
        self._at = _positions(layouts, establishment)
        self._middle = self._opaque_records if establishment else self._records
        self._terms: dict[tuple[bytes, ...], tuple[str, ...]] = {}
        """The decoded header fields that many invoices share, decoded once."""

    def lots(self) -> Iterator[Lot]:
        """The lots in order, up to the last record of the data."""
        rank, end = 0, len(self._data) - RECORD
        while self._offset < end:
            yield self._lot(rank)
            rank += 1

    def _lot(self, rank: int) -> Lot:
        at, start = self._at, self._offset
        header = self._expect(_ONE, "Un lot doit commencer par un enregistrement 1.")
        ps = header[at.ps]
        ps_number, organism, number, created_on, norm_code = cut_characters(at.lot_header, header)
        if not (ps_number.isalnum() and number.isdigit()):
            raise self._fault("en-tete-de-lot", "L'en-tête du lot n'a pas de numéro de PS ou de lot.", 2)
        self._offset += RECORD
        invoices = []
        while self._data[self._offset] == _TWO:
            invoices.append(self._invoice(ps))
        trailer = self._expect(_SIX, "Un lot se compose de factures (2 à 5) et se termine par un enregistrement 6.")
        self._check_identity(header, trailer)
        kinds = self._data[start : self._offset : RECORD]
        by_all = self._check_counts(trailer, len(invoices), kinds.count(_FOUR), kinds.count(_TWO) - len(invoices))
        billed, amo, amc = self._totals(trailer, invoices)
        marking, kind = cut_characters(at.lot_trailer, trailer)
        self._offset += RECORD
        return Lot(
            rank, start, self._offset, ps_number, organism, number, created_on, norm_code, marking, kind,
            tuple(invoices), billed, amo, amc, by_all,
        )  # fmt: skip

    def _invoice(self, ps: bytes) -> Invoice:
        at, start = self._at, self._offset
        header = self._data[start : start + RECORD]
        number, shared = header[at.number], header[at.shared]
        if header[at.ps] != ps or header[at.complement] != _BLANK or not number.isdigit():
            self._check_opening(header, ps, number)
        lines, amc_number = self._middle(shared, ps, number)
        total = self._data[self._offset : self._offset + RECORD]
        if total[0] != _FIVE:
            raise self._fault("ordre", "Une facture doit se terminer par un enregistrement 5.", 1)
        if total[at.shared] != shared:
            self._check_same(self._offset, ps, number)
        declared, billed, amo, amc, patient = at.total.read(total, self._offset)
        if declared != lines and not at.establishment:
            counts = f"L'enregistrement 5 annonce {declared} acte(s), la facture en contient {lines}."
            raise self._fault("compteur-faux", counts, at.total.first("line_count"))
        self._offset += RECORD
        raw_terms = at.terms(header)
        terms = self._terms.get(raw_terms)
        if terms is None:
            terms = self._terms[raw_terms] = cut_characters(at.terms, header)
        kind, regime, caisse, centre, contract, settlement, ps_split = terms
        return Invoice(
            number.decode("latin-1"), start, self._offset, kind, regime, caisse, centre,
            contract, settlement, ps_split, amc_number, billed, amo, amc, patient,
        )  # fmt: skip

    def _check_opening(self, header: bytes, ps: bytes, number: bytes) -> None:
        at = self._at
        if header[at.complement] != _BLANK and not at.establishment:
            sentence = "Une facture doit commencer par un enregistrement 2 sans complément."
            raise self._fault("ordre", sentence, at.complement + 1)
        if not number.isdigit():
            sentence = "Le numéro de facture doit être numérique."
            raise self._fault("zone-non-numerique", sentence, at.number.start + 1)
        self._check_same(self._offset, ps, number)

    def _records(self, shared: bytes, ps: bytes, number: bytes) -> tuple[int, str]:
        """Steps over the 2x and the 4 of an invoice: how many of the latter, and the AMC of record 2M."""
        at, data = self._at, self._data
        begin, end, mark = at.begin, at.end, at.complement
        offset = self._offset + RECORD
        amc_number = ""
        while data[offset] == _TWO and data[offset + mark] != _BLANK:
            if data[offset + begin : offset + end] != shared:
                self._check_same(offset, ps, number)
            if data[offset + mark] == _AMC:
                amc_number = characters(data[offset : offset + RECORD][at.amc])
            offset += RECORD
        first_line = offset
        while data[offset] == _FOUR:
            if data[offset + begin : offset + end] != shared:
                self._check_same(offset, ps, number)
            offset += RECORD
        self._offset = offset
        return (offset - first_line) // RECORD, amc_number

    def _opaque_records(self, _shared: bytes, _ps: bytes, _number: bytes) -> tuple[int, str]:
        """The same for an establishment, whose records inside an invoice are counted and not looked into."""
        at, data = self._at, self._data
        offset = self._offset + RECORD
        fours, amc_number = 0, ""
        while (kind := data[offset]) in _OPAQUE:
            fours += kind == _FOUR
            if kind == _TWO and data[offset + at.complement] == _AMC:
                amc_number = characters(data[offset : offset + RECORD][at.amc])
            offset += RECORD
        self._offset = offset
        return fours, amc_number

    def _check_same(self, offset: int, ps: bytes, number: bytes) -> None:
        """The records of an invoice name the lot's PS and the invoice's number; what else they share may vary."""
        at, record = self._at, self._data[offset : offset + RECORD]
        self._offset = offset
        if record[at.ps] != ps:
            sentence = "Le numéro du PS n'est pas celui de l'en-tête du lot."
            raise self._fault("numero-ps", sentence, at.ps.start + 1)
        if record[at.number] != number:
            sentence = "Le numéro de facture change au milieu d'une facture."
            raise self._fault("ordre", sentence, at.number.start + 1)

    def _check_identity(self, header: bytes, trailer: bytes) -> None:
        for opening, closing, position in self._at.identity:
            if header[opening] != trailer[closing]:
                sentence = "L'enregistrement 6 contredit l'en-tête du lot."
                raise self._fault("6-contredit-1", sentence, position)

    def _check_counts(self, trailer: bytes, invoices: int, lines: int, complements: int) -> bool:
        """L7 for the counters of record 6; gives whether type2_count counts the complements (A12)."""
        if not invoices:
            raise self._fault("lot-vide", "Le lot ne contient aucune facture.", 1)
        counts = self._at.counts
        declared = counts.read(trailer, self._offset)
        by_all = complements > 0 and declared[2] == invoices + complements
        counted = [invoices, lines, invoices + complements if by_all else invoices, invoices]
        if declared != counted:
            said, found, name = next(
                wrong for wrong in zip(declared, counted, counts.names, strict=True) if wrong[0] != wrong[1]
            )
            sentence = f"L'enregistrement 6 annonce {said} comme {_FRENCH[name]}, le lot en contient {found}."
            raise self._fault("compteur-faux", sentence, counts.first(name))
        return by_all

    def _totals(self, trailer: bytes, invoices: list[Invoice]) -> list[int]:
        """Billed, AMO and AMC totals of record 6, which are the sums of the invoices where these can be read."""
        totals = self._at.totals
        declared = totals.read(trailer, self._offset)
        if self._at.establishment:
            return declared
        summed = [sum(map(amount, invoices)) for amount in _SUMMED]
        if declared != summed:
            name = next(name for name, said, sum_ in zip(totals.names, declared, summed, strict=True) if said != sum_)
            sentence = f"Le {_FRENCH[name]} de l'enregistrement 6 n'est pas la somme des factures du lot."
            raise self._fault("total-faux", sentence, totals.first(name))
        return declared

    def _expect(self, kind: int, sentence: str) -> bytes:
        if self._data[self._offset] != kind:
            raise self._fault("ordre", sentence, 1)
        return self._data[self._offset : self._offset + RECORD]

    def _fault(self, code: str, sentence: str, position: int) -> FormatError:
        return fault(code, sentence, Place(self._offset // RECORD + 1, position))


_SUMMED: tuple[Callable[[Invoice], int], ...] = (
    itemgetter(Invoice._fields.index("billed")),
    itemgetter(Invoice._fields.index("amo")),
    itemgetter(Invoice._fields.index("amc")),
)


class _Numbers:
    """Some numeric fields of one kind of record, cut at once. Blanks count as zero."""

    def __init__(self, layout: Layout, *names: str) -> None:
        self.names = names
        self._layout = layout
        self._cut = itemgetter(*map(layout.at, names))

    def first(self, name: str) -> int:
        """Position of a field."""
        return self._layout.fields[name].first

    def read(self, record: bytes, offset: int) -> list[int]:
        """The values, in the order of the names. FormatError at the first that is not a number."""
        raws = self._cut(record)
        if b"".join(raws).isdigit():
            return [*map(int, raws)]
        return [self._number(raw.strip() or b"0", name, offset) for raw, name in zip(raws, self.names, strict=True)]

    def _number(self, raw: bytes, name: str, offset: int) -> int:
        if not raw.isdigit():
            place = Place(offset // RECORD + 1, self.first(name))
            raise fault("zone-non-numerique", f"La zone « {_FRENCH[name]} » doit être numérique.", place)
        return int(raw)


class _Opaque(_Numbers):
    """Fields that an establishment has elsewhere: read as nothing."""

    def read(self, record: bytes, offset: int) -> list[int]:  # noqa: ARG002
        return [0] * len(self.names)


@dataclass(frozen=True, slots=True)
class _Positions:
    """Where the reader finds what it needs, prepared from the layouts."""

    establishment: bool
    ps: slice
    number: slice
    shared: slice
    """From the PS number to the invoice number: the same in all records of an ordinary invoice."""
    begin: int
    end: int
    complement: int
    amc: slice
    terms: Cut
    total: _Numbers
    lot_header: Cut
    lot_trailer: Cut
    counts: _Numbers
    totals: _Numbers
    identity: tuple[tuple[slice, slice, int], ...]
    """Fields that a lot's header and trailer share: in the one, in the other, and the position there."""


@lru_cache(maxsize=8)
def _positions(layouts: Layouts, establishment: bool) -> _Positions:
    header, opening, closing = layouts["invoice_header"], layouts["lot_header"], layouts["lot_trailer"]
    number = layouts["cp_invoice_header"] if establishment else header
    ps_at, number_at = header.at("ps_number"), number.at("invoice_number")
    total = _Opaque if establishment else _Numbers
    terms = ("invoice_kind", "regime", "caisse", "centre", "contract_type", "settlement", "ps_split")
    begin, end = min(ps_at.start, number_at.start), max(ps_at.stop, number_at.stop)
    return _Positions(
        establishment=establishment,
        ps=ps_at,
        number=number_at,
        shared=slice(begin, end),
        begin=begin,
        end=end,
        complement=header.at("complement").start,
        amc=layouts["invoice_amc"].at("amc_edi_number"),
        terms=itemgetter(*(slice(0) if establishment and t == "contract_type" else header.at(t) for t in terms)),
        total=total(layouts["invoice_total"], "line_count", "billed_total", "amo_total", "amc_total", "patient_total"),
        lot_header=itemgetter(
            *map(opening.at, ("ps_number", "recipient_organism", "lot_number", "created_on", "norm_code"))
        ),
        lot_trailer=itemgetter(*map(closing.at, ("marking", "invoice_kind"))),
        counts=_Numbers(closing, "invoice_count", "line_count", "type2_count", "type5_count"),
        totals=_Numbers(closing, "billed_total", "amo_total", "amc_total"),
        identity=tuple(
            (opening.at(name), closing.at(name), closing.fields[name].first) for name in ("ps_number", "lot_number")
        ),
    )
