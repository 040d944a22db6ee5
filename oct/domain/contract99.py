"""Contract type 99 (annex 4.3, rules C1-C7): what the AMO receives, and the AMC flow that is derived from it.

Only invoices whose contract type is 99 are touched; their neighbours in the same lot leave byte-identical. Toward
the AMO an invoice loses its complementary records 2M and 2P and is marked as split (A6); its seals stay as they
were received. Toward the AMC a new lot is made of the 99 invoices alone, without seals, with totals recomputed
from its lines. All of it is computed from the received bytes; where a lot goes is decided elsewhere.

A lot that cannot be split raises a RuleError with its place, before anything is made of it.
"""

from __future__ import annotations

from oct.domain.conventions import Conventions, Type2Count
from oct.domain.model import LotKind
from oct.domain.plan import DerivedInvoice, DerivedLot, SplitContext
from oct.errors import Place, RuleError
from oct.formats.b2 import B2File, Invoice, Lot
from oct.formats.layouts import RECORD, Layout, Layouts

CONTRACT_SPLIT = "99"
"""Group 1321 field 1: the practitioner lets the concentrator split."""

_SETTLEMENTS = frozenset({"00", "05"})
"""No tiers payant, or tiers payant on the AMO part (C2)."""

_SETTLEMENT_AMC = "25"
"""Tiers payant on the AMC part alone (C5)."""


def split_invoices(lot: Lot) -> tuple[Invoice, ...]:
    """The invoices of the lot that ask to be split (C1)."""
    return tuple([invoice for invoice in lot.invoices if invoice.contract == CONTRACT_SPLIT])


def check_split(lot: Lot, kind: LotKind, sent_twice: frozenset[tuple[str, str]], layouts: Layouts) -> None:
    """Raises a RuleError, with its place, when an invoice of the lot breaks C2, C3 or the balance of C5.

    `sent_twice` holds the (PS number, invoice number) that come both as DRE and with contract 99 in the same message.
    """
    header = layouts["invoice_header"]
    for invoice in split_invoices(lot):
        if kind is LotKind.DRE:
            what = "est une DRE avec un contrat 99"
            raise _broken("99-dans-dre", invoice, what, _opening(invoice, header, "contract_type"), "C3")
        if invoice.settlement not in _SETTLEMENTS:
            given = invoice.settlement if invoice.settlement.isdigit() else "illisible"
            what = f"a un contrat 99 et le règlement {given} : seuls 00 et 05 sont permis"
            raise _broken("99-reglement", invoice, what, _opening(invoice, header, "settlement"), "C2")
        if invoice.ps_split == "E":
            what = "a un contrat 99 mais le PS déclare l'avoir éclatée lui-même"
            raise _broken("99-eclatement-ps", invoice, what, _opening(invoice, header, "ps_split"), "C3")
        if invoice.amo + invoice.amc > invoice.billed:
            what = "demande aux deux assureurs plus que le total facturé"
            raise _broken("99-montants", invoice, what, _closing(invoice, layouts, "billed_total"), "C5")
    for invoice in lot.invoices if sent_twice else ():
        if (lot.ps_number, invoice.number) in sent_twice:
            what = "vient comme DRE et aussi comme FSE de contrat 99 dans le même message"
            raise _broken("99-et-dre", invoice, what, _opening(invoice, header, "contract_type"), "C3")


def amo_lot(file: B2File, lot: Lot, context: SplitContext) -> bytes:
    """The lot as its AMO receives it (C4, A6): byte-identical but for the 99 invoices and, if need be, type2_count."""
    layouts, conventions = context.layouts, context.conventions
    parts = [file.data[lot.start : lot.start + RECORD]]
    complements = 0
    for invoice in lot.invoices:
        records = _records(file.content(invoice))
        if invoice.contract == CONTRACT_SPLIT:
            records = _for_amo(records, layouts, conventions)
        complements += sum(record[:1] == b"2" for record in records) - 1
        parts += records
    trailer = layouts["lot_trailer"]
    closing = trailer.patch(
        file.data[lot.stop - RECORD : lot.stop],
        type2_count=len(lot.invoices) + (complements if _counts_all(lot, conventions) else 0),
        **_blanks("lot_trailer", conventions),
    )
    return b"".join([*parts, closing])


def derived_lots(file: B2File, lot: Lot, context: SplitContext) -> tuple[DerivedLot, ...]:
    """The AMC flow of a lot: a derived lot for each AMC that its 99 invoices name, in their order.

    An invoice whose complementary part is nil yields nothing. RuleError when the parts exceed what was billed.
    """
    by_amc: dict[str, list[DerivedInvoice]] = {}
    for invoice in split_invoices(lot):
        derived = _derived(file, invoice, context)
        if derived.amc:
            by_amc.setdefault(amc_number_of(file, invoice, context.layouts), []).append(derived)
    return tuple(
        [
            DerivedLot(amc_number, context.number_for(lot.ps_number, amc_number), context.today, tuple(invoices))
            for amc_number, invoices in by_amc.items()
        ]
    )


def amc_lot(file: B2File, lot: Lot, derived: DerivedLot, context: SplitContext) -> bytes:
    """The bytes of a derived lot: header and trailer of the received one with what is the concentrator's own."""
    layouts, invoices = context.layouts, derived.invoices
    complements = sum(invoice.complements for invoice in invoices) if _counts_all(lot, context.conventions) else 0
    header = layouts["lot_header"].patch(
        file.data[lot.start : lot.start + RECORD],
        lot_number=derived.number,
        created_on=derived.created_on,
        certification="",
    )
    trailer = layouts["lot_trailer"].patch(
        file.data[lot.stop - RECORD : lot.stop],
        invoice_count=len(invoices),
        line_count=sum(invoice.lines for invoice in invoices),
        type2_count=len(invoices) + complements,
        type5_count=len(invoices),
        billed_total=sum(invoice.billed for invoice in invoices),
        amo_total=sum(invoice.amo for invoice in invoices),
        amc_total=sum(invoice.amc for invoice in invoices),
        lot_number=derived.number,
        invoice_kind=context.conventions.dre_mark,
        certification="",
    )
    received = {invoice.start: invoice for invoice in split_invoices(lot)}
    parts = [header]
    for made in invoices:
        parts += _for_amc(file, received[made.start], made, context)
    return b"".join([*parts, trailer])


def amc_number_of(file: B2File, invoice: Invoice, layouts: Layouts) -> str:
    """The AMC of an invoice, 10 digits: record 2M, or without one the invoice's own field (group 1321 field 2).

    Empty when neither names one.
    """
    own = layouts["invoice_header"].text(file.data[invoice.start : invoice.start + RECORD], "amc_number")
    number = invoice.amc_number.lstrip("0") or own.lstrip("0")
    return number.zfill(10) if number else ""


def _broken(code: str, invoice: Invoice, what: str, place: Place, rule: str) -> RuleError:
    return RuleError(code, f"La facture {invoice.number} {what}.", place=place, rule=rule)


def _opening(invoice: Invoice, header: Layout, field: str) -> Place:
    return Place(invoice.start // RECORD + 1, header.fields[field].first)


def _closing(invoice: Invoice, layouts: Layouts, field: str) -> Place:
    return Place(invoice.stop // RECORD, layouts["invoice_total"].fields[field].first)


def _records(content: bytes) -> list[bytes]:
    return [content[offset : offset + RECORD] for offset in range(0, len(content), RECORD)]


def _for_amo(records: list[bytes], layouts: Layouts, conventions: Conventions) -> list[bytes]:
    """The records of a 99 invoice that its AMO receives."""
    header, total = layouts["invoice_header"], layouts["invoice_total"]
    kept = [record for record in records if _mark(record, layouts) not in conventions.amo_drops]
    kept[0] = header.patch(kept[0], **_blanks("invoice_header", conventions))
    kept[-1] = total.patch(kept[-1], oct_split=conventions.split_mark, **_blanks("invoice_total", conventions))
    return kept


def _mark(record: bytes, layouts: Layouts) -> str:
    """What tells the complements of record 2 apart; empty for any other record."""
    return layouts["invoice_header"].text(record, "complement") if record[:1] == b"2" else ""


def _blanks(layout: str, conventions: Conventions) -> dict[str, str]:
    """A6: the fields of a layout that are emptied for the AMO."""
    named = (name.split(".") for name in conventions.amo_blanks)
    return {field: "" for of, field in named if of == layout}


def _counts_all(lot: Lot, conventions: Conventions) -> bool:
    if conventions.type2_count is Type2Count.RECEIVED:
        return lot.counts_complements
    return conventions.type2_count is Type2Count.ALL


def _derived(file: B2File, invoice: Invoice, context: SplitContext) -> DerivedInvoice:
    """What an invoice asks from its AMC."""
    _, complements, acts, _ = _parts(file, invoice, context)
    billed, amo, amc = map(sum, (acts.spent, acts.amo, acts.amc))
    if billed > invoice.billed or max(amo, invoice.amo) + amc > invoice.billed:
        what = "demande dans ses actes plus que le total facturé"
        raise _broken("99-montants", invoice, what, _closing(invoice, context.layouts, "billed_total"), "C5")
    return DerivedInvoice(invoice.number, invoice.start, billed, amo, amc, len(acts.records), len(complements))


def _for_amc(file: B2File, invoice: Invoice, made: DerivedInvoice, context: SplitContext) -> list[bytes]:
    """The records of a 99 invoice that its AMC receives."""
    layouts, conventions = context.layouts, context.conventions
    opening, complements, acts, closing = _parts(file, invoice, context)
    asked = _asks_tiers_payant([opening, *complements], layouts, conventions)
    settlement = _SETTLEMENT_AMC if asked else "00"
    return [
        layouts["invoice_header"].patch(opening, settlement=settlement, invoice_kind=conventions.dre_mark),
        *complements,
        *acts.records,
        layouts["invoice_total"].patch(
            closing,
            billed_total=made.billed,
            amo_total=made.amo,
            amc_total=made.amc,
            oct_split=conventions.split_mark,
            certification="",
        ),
    ]


def _parts(file: B2File, invoice: Invoice, context: SplitContext) -> tuple[bytes, list[bytes], _Acts, bytes]:
    """Record 2 of an invoice, its complements, its acts with the AMC part of each, record 5."""
    layouts, conventions = context.layouts, context.conventions
    opening, *middle, closing = _records(file.content(invoice))
    complements = [record for record in middle if record[:1] == b"2"]
    acts = _Acts([record for record in middle if record[:1] == b"4"], invoice, layouts["invoice_line"])
    if not any(acts.amc) and conventions.amc_fallback:
        acts.spread(_amount(closing, layouts["invoice_total"], conventions.amc_fallback, invoice))
    return opening, complements, acts, closing


def _asks_tiers_payant(records: list[bytes], layouts: Layouts, conventions: Conventions) -> bool:
    """A7: whether one of the fields that ask for it is filled, in the record that holds it."""
    for name in conventions.tiers_payant:
        layout, field = name.split(".")
        mark = layouts[layout].fields["complement"].const or ""
        for record in records:
            if _mark(record, layouts) == mark and layouts[layout].raw(record, field).strip(b" 0"):
                return True
    return False


class _Acts:
    """The records 4 of an invoice and their amounts. Their complements, if any, are kept and bear none."""

    def __init__(self, records: list[bytes], invoice: Invoice, layout: Layout) -> None:
        self.records = records
        self._invoice = invoice
        self._layout = layout
        mark = layout.at("complement")
        self._ranks = [rank for rank, record in enumerate(records) if record[mark].isspace()]
        self.spent, self.amo, self.amc = (
            [_amount(records[rank], layout, field, invoice) for rank in self._ranks]
            for field in ("spent_amount", "amo_amount", "amc_amount")
        )

    def spread(self, amount: int) -> None:
        """A16: asks an amount from the AMC, over the acts in order, each up to what it cost beyond the AMO part.

        So the totals are still sums of lines. RuleError when the acts did not cost that much.
        """
        for place, rank in enumerate(self._ranks):
            share = min(amount, max(self.spent[place] - self.amo[place], 0))
            self.amc[place] = share
            self.records[rank] = self._layout.patch(self.records[rank], amc_amount=share)
            amount -= share
        if amount:
            what = "a une part du patient plus grande que le reste à charge de ses actes"
            raise _broken("99-montants", self._invoice, what, Place(self._invoice.stop // RECORD), "C5")


def _amount(record: bytes, layout: Layout, field: str, invoice: Invoice) -> int:
    """An amount in centimes, blanks are zero."""
    raw = layout.raw(record, field).strip() or b"0"
    if not raw.isdigit():
        what = "a un contrat 99 et un montant qui n'est pas numérique"
        raise _broken("99-montants", invoice, what, Place(invoice.start // RECORD + 1), "C5")
    return int(raw)
