"""Contract type 99 (annex 4.3, rules C1-C7): what the AMO receives, and the AMC flow that is derived from it.

Only invoices whose contract type is 99 are touched; their neighbours in the same lot leave byte-identical. Toward
the AMO an invoice loses its complementary records 2M and 2P and is marked as split (A6); its seals stay as they
were received. Toward the AMC a new lot is made of the 99 invoices alone, without seals, with totals recomputed
from its lines. All of it is computed from the received bytes; where a lot goes is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oct.errors import Place, RuleError
from oct.formats.b2 import B2File, Invoice, Lot
from oct.formats.layouts import RECORD, Layouts

CONTRACT_SPLIT = "99"
"""Group 1321 field 1: the practitioner lets the concentrator split."""

_SETTLEMENTS = {"00", "05"}
"""No tiers payant, or tiers payant on the AMO part (C2)."""

_SETTLEMENT_AMC = "25"
"""Tiers payant on the AMC part alone (C5)."""

_COMPLEMENT = 35
"""Offset of the mark that tells the complements of record 2 apart (position 36)."""


@dataclass(frozen=True, slots=True)
class DerivedInvoice:
    """An invoice of the AMC flow: its records and what they add up to, in centimes."""

    number: str
    content: bytes
    billed: int
    amo: int
    amc: int
    lines: int
    complements: int


@dataclass(frozen=True, slots=True)
class DerivedLot:
    """A lot that the concentrator builds for one AMC (C5). It manages its ARL itself (C6)."""

    source: Lot
    amc_number: str
    number: str
    content: bytes
    invoices: tuple[DerivedInvoice, ...]


def split_invoices(lot: Lot) -> tuple[Invoice, ...]:
    """The invoices of the lot that ask to be split (C1)."""
    return tuple(invoice for invoice in lot.invoices if invoice.contract == CONTRACT_SPLIT)


def check_split(lot: Lot, sent_as_dre: frozenset[tuple[str, str]]) -> None:
    """Raises a RuleError, with its place, when an invoice of the lot breaks C2, C3 or the balance of C5.

    `sent_as_dre` holds the (PS number, invoice number) that come as DRE in the same message.
    """
    for invoice in split_invoices(lot):
        record = invoice.start // RECORD + 1
        if invoice.kind == "D":
            raise _broken("99-dans-dre", invoice, "est une DRE avec un contrat 99", Place(record, 117), "C3")
        if invoice.settlement not in _SETTLEMENTS:
            what = f"a un contrat 99 et le règlement {invoice.settlement} : seuls 00 et 05 sont permis"
            raise _broken("99-reglement", invoice, what, Place(record, 115), "C2")
        if invoice.ps_split == "E":
            what = "a un contrat 99 mais le PS déclare l'avoir éclatée lui-même"
            raise _broken("99-eclatement-ps", invoice, what, Place(record, 46), "C3")
        if (lot.ps_number, invoice.number) in sent_as_dre:
            what = "a un contrat 99 et vient aussi comme DRE dans le même message"
            raise _broken("99-et-dre", invoice, what, Place(record, 117), "C3")
        if invoice.amo + invoice.amc > invoice.billed:
            what = "demande aux deux assureurs plus que le total facturé"
            raise _broken("99-montants", invoice, what, Place(invoice.stop // RECORD, 58), "C5")


def amo_lot(file: B2File, lot: Lot, layouts: Layouts) -> bytes:
    """The lot as its AMO receives it (C4, A6): byte-identical but for the 99 invoices and, if need be, type2_count."""
    parts: list[bytes] = [file.data[lot.start : lot.start + RECORD]]
    dropped = 0
    total = layouts["invoice_total"]
    for invoice in lot.invoices:
        content = file.content(invoice)
        if invoice.contract == CONTRACT_SPLIT:
            kept = [record for record in _records(content) if not _complementary(record)]
            dropped += len(content) // RECORD - len(kept)
            kept[-1] = total.patch(kept[-1], oct_split="A")
            content = b"".join(kept)
        parts.append(content)
    trailer = layouts["lot_trailer"]
    closing = file.data[lot.stop - RECORD : lot.stop]
    if lot.counts_complements:
        closing = trailer.patch(closing, type2_count=trailer.number(closing, "type2_count") - dropped)
    return b"".join([*parts, closing])


def derive_lots(
    file: B2File, lot: Lot, layouts: Layouts, number_for: Callable[[str, str], str], created_on: str
) -> tuple[DerivedLot, ...]:
    """The AMC flow of a lot: a derived lot for each AMC that its 99 invoices name, in order of appearance.

    `number_for(ps_number, amc_number)` gives the number of a new lot, 3 digits; `created_on` is its AAMMJJ date.
    An invoice whose complementary part is nil yields nothing. RuleError when the parts exceed what was billed.
    """
    by_amc: dict[str, list[DerivedInvoice]] = {}
    for invoice in split_invoices(lot):
        derived = _derive(file, invoice, layouts)
        if derived.amc:
            by_amc.setdefault(amc_number_of(file, invoice, layouts), []).append(derived)
    return tuple(
        _derived_lot(file, lot, layouts, amc_number, number_for(lot.ps_number, amc_number), created_on, tuple(invoices))
        for amc_number, invoices in by_amc.items()
    )


def amc_number_of(file: B2File, invoice: Invoice, layouts: Layouts) -> str:
    """The AMC of an invoice: record 2M, or without one the invoice's own field (group 1321 field 2)."""
    if invoice.amc_number:
        return invoice.amc_number
    return layouts["invoice_header"].text(file.data[invoice.start : invoice.start + RECORD], "amc_number")


def _broken(code: str, invoice: Invoice, what: str, place: Place, rule: str) -> RuleError:
    return RuleError(code, f"La facture {invoice.number} {what}.", place=place, rule=rule)


def _records(content: bytes) -> list[bytes]:
    return [content[offset : offset + RECORD] for offset in range(0, len(content), RECORD)]


def _complementary(record: bytes) -> bool:
    return record[:1] == b"2" and record[_COMPLEMENT : _COMPLEMENT + 1] in (b"M", b"P")


def _derive(file: B2File, invoice: Invoice, layouts: Layouts) -> DerivedInvoice:
    head, line, total = layouts["invoice_header"], layouts["invoice_line"], layouts["invoice_total"]
    opening, *middle, closing = _records(file.content(invoice))
    complements = [record for record in middle if record[:1] == b"2"]
    lines = _with_amc_amounts([record for record in middle if record[:1] == b"4"], invoice, layouts)
    others = [record for record in middle if record[:1] not in (b"2", b"4")]
    settlement = _SETTLEMENT_AMC if _asks_tiers_payant(complements, layouts) else "00"
    billed, amo, amc = (
        sum(_amount(record, line.at(name)) for record in lines) for name in ("spent_amount", "amo_amount", "amc_amount")
    )
    records = [
        head.patch(opening, settlement=settlement, invoice_kind="D"),
        *complements,
        *others,
        *lines,
        total.patch(closing, billed_total=billed, amo_total=amo, amc_total=amc, oct_split="A", certification=""),
    ]
    return DerivedInvoice(invoice.number, b"".join(records), billed, amo, amc, len(lines), len(complements))


def _asks_tiers_payant(complements: list[bytes], layouts: Layouts) -> bool:
    """A7: tiers payant on the complementary part is asked when 1321 field 4 or 5 is filled."""
    convention = layouts["invoice_convention"]
    return any(
        convention.text(record, "settlement_operator") or convention.text(record, "convention")
        for record in complements
        if record[_COMPLEMENT : _COMPLEMENT + 1] == b"P"
    )


def _with_amc_amounts(lines: list[bytes], invoice: Invoice, layouts: Layouts) -> list[bytes]:
    """A16: each line asks its own AMC amount; when all are nil, the patient's share is spread over the lines.

    It is spread in order, each line up to what its act cost beyond the AMO part, so that totals are sums of lines.
    """
    line = layouts["invoice_line"]
    if any(_amount(record, line.at("amc_amount")) for record in lines) or not invoice.patient:
        return lines
    left, spread = invoice.patient, []
    for record in lines:
        room = _amount(record, line.at("spent_amount")) - _amount(record, line.at("amo_amount"))
        share = min(left, max(room, 0))
        spread.append(line.patch(record, amc_amount=share))
        left -= share
    if left:
        what = "a une part patient plus grande que le reste à charge de ses actes"
        raise _broken("99-montants", invoice, what, Place(invoice.stop // RECORD, 74), "C5")
    return spread


def _amount(record: bytes, at: slice) -> int:
    raw = record[at].strip()
    return int(raw) if raw.isdigit() else 0


def _derived_lot(
    file: B2File,
    lot: Lot,
    layouts: Layouts,
    amc_number: str,
    number: str,
    created_on: str,
    invoices: tuple[DerivedInvoice, ...],
) -> DerivedLot:
    opening = file.data[lot.start : lot.start + RECORD]
    closing = file.data[lot.stop - RECORD : lot.stop]
    complements = sum(invoice.complements for invoice in invoices) if lot.counts_complements else 0
    trailer = layouts["lot_trailer"].patch(
        closing,
        invoice_count=len(invoices),
        line_count=sum(invoice.lines for invoice in invoices),
        type2_count=len(invoices) + complements,
        type5_count=len(invoices),
        billed_total=sum(invoice.billed for invoice in invoices),
        amo_total=sum(invoice.amo for invoice in invoices),
        amc_total=sum(invoice.amc for invoice in invoices),
        lot_number=number,
        invoice_kind="D",
        certification="",
    )
    header = layouts["lot_header"].patch(opening, lot_number=number, created_on=created_on, certification="")
    content = b"".join([header, *(invoice.content for invoice in invoices), trailer])
    return DerivedLot(lot, amc_number, number, content, invoices)
