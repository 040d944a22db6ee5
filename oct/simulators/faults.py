"""Deliberate faults of claim files: each function draws a file that has exactly the fault of its name.

The grammar's faults (L7) damage the bytes of a sound file; the rules' faults (L3, L6, L8, C2, C3) are sound files
whose content breaks the rule, with a sound lot beside the faulty one where the rule says that the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from oct.formats.layouts import RECORD
from oct.simulators.invoices import Kind
from oct.simulators.parties import Caisse, Sender
from oct.simulators.traffic import ClaimFile, Claims

STRANGER = Sender("999000111", "IF", "CABINET INCONNU")
"""A practitioner of no account."""


def truncated(claims: Claims, sender: Sender) -> ClaimFile:
    """Cut in the middle of its last record: not a multiple of 128 bytes (L7)."""
    file = claims.single_file(sender)
    return replace(file, data=file.data[: -claims.rng.randrange(1, RECORD)])


def missing_999(claims: Claims, sender: Sender) -> ClaimFile:
    """Whole records, but the 999 is not there (L7)."""
    file = claims.single_file(sender)
    return replace(file, data=file.data[:-RECORD])


def bad_record_count(claims: Claims, sender: Sender) -> ClaimFile:
    """The 999 counts one record too many (L7)."""
    file = claims.single_file(sender)
    return _patched(claims, file, -RECORD, "file_trailer", record_count=len(file.data) // RECORD + 1)


def bad_lot_count(claims: Claims, sender: Sender) -> ClaimFile:
    """The 999 counts one lot too many (L7)."""
    file = claims.single_file(sender)
    return _patched(claims, file, -RECORD, "file_trailer", lot_count=len(file.lots) + 1)


def bad_invoice_count(claims: Claims, sender: Sender) -> ClaimFile:
    """The trailer of the first lot counts one invoice too many (L7)."""
    file = claims.single_file(sender)
    lot = file.lots[0]
    return _patched(claims, file, len(lot.data), "lot_trailer", invoice_count=len(lot.invoices) + 1)


def trailer_contradicts_header(claims: Claims, sender: Sender) -> ClaimFile:
    """The trailer of the first lot names another lot than its header does (L7)."""
    file = claims.single_file(sender)
    lot = file.lots[0]
    return _patched(claims, file, len(lot.data), "lot_trailer", lot_number=lot.number % 999 + 1)


def records_out_of_order(claims: Claims, sender: Sender) -> ClaimFile:
    """The first invoice's total stands before its last act (L7)."""
    file = claims.single_file(sender)
    end = RECORD * (2 + len(file.lots[0].invoices[0].records))
    act, total = file.data[end - 2 * RECORD : end - RECORD], file.data[end - RECORD : end]
    return replace(file, data=file.data[: end - 2 * RECORD] + total + act + file.data[end:])


def mixed_regimes(claims: Claims, sender: Sender) -> ClaimFile:
    """The first lot holds invoices of two régimes; the second is sound (L3). Needs a network of two régimes."""
    first = claims.rng.choice(claims.network.caisses)
    other = next(caisse for caisse in claims.network.caisses if caisse.regime != first.regime)
    mixed = claims.lot(sender, first, [claims.invoice(sender, first), claims.invoice(sender, other)])
    return claims.file(sender, [mixed, claims.fse_lot(sender)])


def unknown_caisse(claims: Claims, sender: Sender) -> ClaimFile:
    """The first lot is for a caisse that no directory names; the second is sound (L6)."""
    taken = {caisse.caisse for caisse in claims.network.caisses}
    code = next(f"{number:03d}" for number in range(888, 0, -1) if f"{number:03d}" not in taken)
    nowhere = Caisse("01", code, "0001", code, code)
    return claims.file(sender, [claims.fse_lot(sender, nowhere), claims.fse_lot(sender)])


def contract99_settlement15(claims: Claims, sender: Sender) -> ClaimFile:
    """An enriched FSE asks settlement 15 in the first lot; the second is sound (C2)."""
    return _enriched(claims, sender, settlement="15")


def contract99_split_by_ps(claims: Claims, sender: Sender) -> ClaimFile:
    """An enriched FSE also says that the PS split it (E) in the first lot; the second is sound (C3)."""
    return _enriched(claims, sender, ps_split="E")


def contract99_with_dre(claims: Claims, sender: Sender) -> ClaimFile:
    """Lots 1 and 2: an enriched FSE, and a DRE of the same person and number; the third is sound (C3)."""
    caisse, amc = claims.rng.choice(claims.network.caisses), claims.rng.choice(claims.network.amcs)
    person = claims.person()
    fse = claims.invoice(sender, caisse, Kind.ENRICHED, amc=amc, person=person)
    dre = claims.invoice(sender, caisse, Kind.DRE, amc=amc, person=person, number=fse.number)
    pair = [claims.lot(sender, caisse, [fse]), claims.lot(sender, amc, [dre], organism=caisse.organism)]
    return claims.file(sender, [*pair, claims.fse_lot(sender)])


def foreign_lot(claims: Claims, sender: Sender) -> ClaimFile:
    """The first lot bears a stranger's PS number; the second is sound (L8)."""
    return claims.file(sender, [claims.fse_lot(STRANGER), claims.fse_lot(sender)])


Fault = Callable[[Claims, Sender], ClaimFile]

FAULTS: Mapping[str, Fault] = {
    fault.__name__: fault
    for fault in (
        truncated,
        missing_999,
        bad_record_count,
        bad_lot_count,
        bad_invoice_count,
        trailer_contradicts_header,
        records_out_of_order,
        mixed_regimes,
        unknown_caisse,
        contract99_settlement15,
        contract99_split_by_ps,
        contract99_with_dre,
        foreign_lot,
    )
}
"""Every fault by its name."""


def _patched(claims: Claims, file: ClaimFile, offset: int, layout: str, **values: int) -> ClaimFile:
    """The file with one record changed; `offset` is the record's, from the end when negative."""
    start = offset % len(file.data)
    record = claims.layouts[layout].patch(file.data[start : start + RECORD], **values)
    return replace(file, data=file.data[:start] + record + file.data[start + RECORD :])


def _enriched(claims: Claims, sender: Sender, *, settlement: str | None = None, ps_split: str = "") -> ClaimFile:
    caisse = claims.rng.choice(claims.network.caisses)
    faulty = claims.invoice(sender, caisse, Kind.ENRICHED, settlement=settlement, ps_split=ps_split)
    lot = claims.lot(sender, caisse, [claims.invoice(sender, caisse), faulty])
    return claims.file(sender, [lot, claims.fse_lot(sender)])
