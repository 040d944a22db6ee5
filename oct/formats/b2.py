"""Claim files of the B2 norm: reads one whole, keeps its lots as slices of the received bytes, writes new frames.

A file is 000, lots, 999; a lot is 1, invoices, 6; an invoice is 2, its complements 2x, its acts 4, 5. The reader
checks all that rule L7 names (length, order, counters, trailers that contradict their headers) and says where:
the record's number and the position in it. It reads only what routing and receipts need; a lot is never written
again field by field, because its seals were made on the practitioner's workstation (L1).

The establishments' variant (norm CP) has its invoice numbers elsewhere and records 3; the rest of it is opaque.
Source: public tables of the B2 norm, in `config/layouts.toml`. Any bytes give a `B2File` or a `FormatError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oct.errors import FormatError, Place
from oct.formats.layouts import RECORD, Layouts

MAX_LOTS = 999
"""What the 3-digit lot counter of the 999 trailer can count (L5)."""

_ONE, _TWO, _THREE, _FOUR, _FIVE, _SIX = b"123456"
_BLANK = 0x20


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice of a lot. `start` and `stop` are offsets in the file's bytes; amounts are centimes."""

    number: str
    start: int
    stop: int
    kind: str
    """`F` FSE, `D` DRE, blank outside SESAM-Vitale (A1)."""
    regime: str
    caisse: str
    centre: str
    contract: str
    settlement: str
    ps_split: str
    amc_number: str
    """Number of the AMC in record 2M, empty without one."""
    billed: int
    amo: int
    amc: int
    patient: int


@dataclass(frozen=True, slots=True)
class Lot:
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
    header, trailer = layouts["file_header"], layouts["file_trailer"]
    first, last = data[:RECORD], data[-RECORD:]
    norm = header.text(first, "norm")
    lots = tuple(_Reader(data, layouts, establishment=norm == "CP").lots())
    last_number = len(data) // RECORD
    _check_file_trailer(first, last, layouts, last_number)
    _agree(
        trailer.number(last, "record_count", record_number=last_number),
        last_number,
        "enregistrements",
        layouts,
        last_number,
    )
    _agree(trailer.number(last, "lot_count", record_number=last_number), len(lots), "lots", layouts, last_number)
    return B2File(
        data=data,
        sender_type=header.text(first, "sender_type"),
        sender_number=header.text(first, "sender_number"),
        recipient_type=header.text(first, "recipient_type"),
        recipient_number=header.text(first, "recipient_number"),
        application=header.text(first, "application"),
        file_id=header.text(first, "file_id"),
        norm=norm,
        lots=lots,
    )


def read_lots(data: bytes, layouts: Layouts, *, establishment: bool) -> tuple[Lot, ...]:
    """Reads bare lots, one after the other without 000 and 999: what a hold keeps. Offsets are those in `data`."""
    if not data or len(data) % RECORD:
        raise _fault("longueur", "La longueur d'un lot doit être un multiple de 128.", Place())
    return tuple(_Reader(data, layouts, establishment=establishment, bare=True).lots())


def write_file(header: bytes, lots: Iterable[bytes], layouts: Layouts) -> bytes:
    """A file around lots: the given 000 record, the lots as they are, a 999 with counters recomputed (L5)."""
    opening, closing = layouts["file_header"], layouts["file_trailer"]
    body = list(lots)
    size = sum(map(len, body))
    shared = ("sender_type", "sender_number", "recipient_type", "recipient_number", "application", "file_id")
    trailer = closing.build(
        **{name: opening.text(header, name) for name in shared},
        record_count=size // RECORD + 2,
        lot_count=len(body),
    )
    return b"".join([header, *body, trailer])


def _fault(code: str, sentence: str, place: Place) -> FormatError:
    return FormatError(code, sentence, place=place, rule="L7")


def _check_envelope(data: bytes) -> None:
    if not data:
        raise _fault("fichier-vide", "Le fichier est vide.", Place())
    if data[:3] != b"000":
        raise _fault(
            "pas-b2", "Ce n'est pas un fichier B2 : il ne commence pas par un enregistrement 000.", Place(1, 1)
        )
    whole, rest = divmod(len(data), RECORD)
    if rest:
        raise _fault(
            "longueur",
            f"La longueur du fichier ({len(data)} octets) n'est pas un multiple de 128 : il est coupé.",
            Place(whole + 1, rest + 1),
        )
    if data[-RECORD : -RECORD + 3] != b"999" or whole < 2:
        raise _fault("sans-999", "Le dernier enregistrement n'est pas un 999.", Place(whole, 1))
    if whole == 2:
        raise _fault("aucun-lot", "Le fichier ne contient aucun lot.", Place(2, 1))


def _check_file_trailer(first: bytes, last: bytes, layouts: Layouts, number: int) -> None:
    header, trailer = layouts["file_header"], layouts["file_trailer"]
    for name in ("sender_type", "sender_number", "recipient_type", "recipient_number", "application", "file_id"):
        if header.text(first, name).lstrip("0") != trailer.text(last, name).lstrip("0"):
            raise _fault(
                "999-contredit-000",
                "Le 999 contredit le 000 : ils ne nomment pas le même envoi.",
                Place(number, trailer.fields[name].first),
            )


def _agree(declared: int, counted: int, what: str, layouts: Layouts, number: int) -> None:
    if declared != counted:
        field = "lot_count" if what == "lots" else "record_count"
        raise _fault(
            "compteur-faux",
            f"Le 999 annonce {declared} {what}, le fichier en contient {counted}.",
            Place(number, layouts["file_trailer"].fields[field].first),
        )


class _Reader:
    """Walks the records between 000 and 999 once. Fields are cut by slices prepared beforehand."""

    def __init__(self, data: bytes, layouts: Layouts, *, establishment: bool, bare: bool = False) -> None:
        self.data = data
        self.layouts = layouts
        self.establishment = establishment
        self.offset = 0 if bare else RECORD
        self.end = len(data) if bare else len(data) - RECORD
        self.words: dict[bytes, str] = {}
        self.total = layouts["invoice_total"]
        self.trailer = layouts["lot_trailer"]
        variant = "cp_invoice_header" if establishment else "invoice_header"
        self.number_at = layouts[variant].at("invoice_number")
        head = layouts["invoice_header"]
        self.head_at = tuple(
            head.at(name)
            for name in ("invoice_kind", "regime", "caisse", "centre", "contract_type", "settlement", "ps_split")
        )
        self.amc_at = layouts["invoice_amc"].at("amc_edi_number")
        self.ps_at = head.at("ps_number")

    def lots(self) -> Iterable[Lot]:
        rank = 0
        while self.offset < self.end:
            yield self._lot(rank)
            rank += 1

    def _place(self, position: int = 1, *, offset: int | None = None) -> Place:
        return Place((self.offset if offset is None else offset) // RECORD + 1, position)

    def _expect(self, kind: int, sentence: str) -> bytes:
        """The record at the offset, which must be of that type and before the end."""
        if self.offset >= self.end or self.data[self.offset] != kind:
            raise _fault("ordre", sentence, self._place())
        return self.data[self.offset : self.offset + RECORD]

    def _word(self, raw: bytes) -> str:
        """Decodes a value that many records share, once."""
        known = self.words.get(raw)
        if known is None:
            known = self.words[raw] = raw.decode("latin-1").strip()
        return known

    def _amount(self, record: bytes, layout_name: str, field: str) -> int:
        layout = self.layouts[layout_name]
        raw = record[layout.at(field)]
        if raw.isdigit():
            return int(raw)
        if not raw.strip():
            return 0
        raise _fault("zone-non-numerique", "Un montant doit être numérique.", self._place(layout.fields[field].first))

    def _lot(self, rank: int) -> Lot:
        start = self.offset
        header = self.layouts["lot_header"]
        record = self._expect(_ONE, "Un lot doit commencer par un enregistrement 1.")
        self.offset += RECORD
        ps = record[header.at("ps_number")]
        invoices: list[Invoice] = []
        twos = complements = fours = 0
        while self.offset < self.end and self.data[self.offset] == _TWO:
            invoice, extra, lines = self._invoice(ps)
            invoices.append(invoice)
            twos, complements, fours = twos + 1, complements + extra, fours + lines
        closing = self._expect(
            _SIX, "Un lot doit se composer de factures (2 à 5) et se terminer par un enregistrement 6."
        )
        counted = _Counted(invoices, twos, complements, fours)
        self._check_lot_trailer(record, closing, counted)
        by_all = complements > 0 and self._counter(closing, "type2_count") == twos + complements
        self.offset += RECORD
        return Lot(
            rank=rank,
            start=start,
            stop=self.offset,
            ps_number=header.text(record, "ps_number"),
            organism=header.text(record, "recipient_organism"),
            number=header.text(record, "lot_number"),
            created_on=header.text(record, "created_on"),
            norm_code=header.text(record, "norm_code"),
            marking=self.trailer.text(closing, "marking"),
            invoices=tuple(invoices),
            billed=counted.billed,
            amo=counted.amo,
            amc=counted.amc,
            counts_complements=by_all,
        )

    def _invoice(self, ps: bytes) -> tuple[Invoice, int, int]:
        """One invoice, with how many 2x and 4 it has."""
        start, data = self.offset, self.data
        head = data[start : start + RECORD]
        if head[35] != _BLANK and not self.establishment:
            raise _fault(
                "ordre", "Une facture doit commencer par un enregistrement 2 sans complément.", self._place(36)
            )
        number = head[self.number_at]
        if not number.isdigit():
            raise _fault(
                "zone-non-numerique", "Le numéro de facture doit être numérique.", self._place(self.number_at.start + 1)
            )
        complements, amc_number = self._complements(ps, number)
        lines = self._lines(ps, number)
        total = self._expect(_FIVE, "Une facture doit se terminer par un enregistrement 5.")
        self._same_invoice(self.offset, ps, number)
        if self._total_lines(total) != lines:
            raise _fault(
                "compteur-faux",
                f"L'enregistrement 5 annonce {self._total_lines(total)} actes, la facture en contient {lines}.",
                self._place(self.total.fields["line_count"].first),
            )
        amounts = [
            self._amount(total, "invoice_total", name)
            for name in ("billed_total", "amo_total", "amc_total", "patient_total")
        ]
        self.offset += RECORD
        kind, regime, caisse, centre, contract, settlement, split = (self._word(head[at]) for at in self.head_at)
        return (
            Invoice(
                number.decode("latin-1"), start, self.offset, kind, regime, caisse, centre,
                contract, settlement, split, amc_number, *amounts,
            ),
            complements,
            lines,
        )  # fmt: skip

    def _complements(self, ps: bytes, number: bytes) -> tuple[int, str]:
        """Steps over the 2 and its 2x; gives how many 2x, and the AMC of record 2M."""
        self._same_invoice(self.offset, ps, number)
        self.offset += RECORD
        count, amc_number, data = 0, "", self.data
        while self.offset < self.end and data[self.offset] == _TWO:
            mark = data[self.offset + 35]
            if mark == _BLANK and not self.establishment:
                break
            self._same_invoice(self.offset, ps, number)
            if mark == 0x4D:  # M
                amc_number = self._word(data[self.offset + self.amc_at.start : self.offset + self.amc_at.stop])
            count += 1
            self.offset += RECORD
        return count, amc_number

    def _lines(self, ps: bytes, number: bytes) -> int:
        """Steps over the acts; gives how many records 4. Establishments also have records 3 there."""
        count, data = 0, self.data
        while self.offset < self.end:
            kind = data[self.offset]
            if kind == _FOUR:
                count += 1
            elif not (self.establishment and kind in (_TWO, _THREE)):
                break
            self._same_invoice(self.offset, ps, number)
            self.offset += RECORD
        return count

    def _same_invoice(self, offset: int, ps: bytes, number: bytes) -> None:
        record = self.data[offset : offset + RECORD]
        if record[self.ps_at] != ps:
            raise _fault(
                "numero-ps",
                "Le numéro du PS n'est pas celui de l'en-tête du lot.",
                self._place(self.ps_at.start + 1, offset=offset),
            )
        if record[self.number_at] != number:
            raise _fault(
                "ordre",
                "Le numéro de facture change au milieu d'une facture.",
                self._place(self.number_at.start + 1, offset=offset),
            )

    def _total_lines(self, total: bytes) -> int:
        return self.total.number(total, "line_count", record_number=self.offset // RECORD + 1)

    def _counter(self, closing: bytes, name: str) -> int:
        return self.trailer.number(closing, name, record_number=self.offset // RECORD + 1)

    def _check_lot_trailer(self, opening: bytes, closing: bytes, counted: _Counted) -> None:
        header = self.layouts["lot_header"]
        for name in ("ps_number", "lot_number"):
            if header.raw(opening, name) != self.trailer.raw(closing, name):
                raise _fault(
                    "6-contredit-1",
                    "L'enregistrement 6 contredit l'en-tête du lot.",
                    self._place(self.trailer.fields[name].first),
                )
        if not counted.invoices:
            raise _fault("lot-vide", "Le lot ne contient aucune facture.", self._place())
        expected = {
            "invoice_count": (len(counted.invoices),),
            "line_count": (counted.fours,),
            "type2_count": (counted.twos, counted.twos + counted.complements),
            "type5_count": (len(counted.invoices),),
        }
        for name, allowed in expected.items():
            declared = self._counter(closing, name)
            if declared not in allowed:
                raise _fault(
                    "compteur-faux",
                    f"L'enregistrement 6 annonce {declared}, le lot contient {allowed[0]} ({_COUNTED[name]}).",
                    self._place(self.trailer.fields[name].first),
                )
        for name, total in (("billed_total", counted.billed), ("amo_total", counted.amo), ("amc_total", counted.amc)):
            if self._amount(closing, "lot_trailer", name) != total:
                raise _fault(
                    "total-faux",
                    "Un total de l'enregistrement 6 n'est pas la somme des factures du lot.",
                    self._place(self.trailer.fields[name].first),
                )


_COUNTED = {
    "invoice_count": "factures",
    "line_count": "actes",
    "type2_count": "enregistrements 2",
    "type5_count": "enregistrements 5",
}


class _Counted:
    """What the content of a lot adds up to."""

    __slots__ = ("amc", "amo", "billed", "complements", "fours", "invoices", "twos")

    def __init__(self, invoices: list[Invoice], twos: int, complements: int, fours: int) -> None:
        self.invoices = invoices
        self.twos = twos
        self.complements = complements
        self.fours = fours
        self.billed = sum(invoice.billed for invoice in invoices)
        self.amo = sum(invoice.amo for invoice in invoices)
        self.amc = sum(invoice.amc for invoice in invoices)
