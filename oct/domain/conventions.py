"""What the public record leaves open, as values: an operator who holds the official documents corrects them in
`config/oct.toml`, table `[conventions]`, without touching a line of Python.

Positions of fields are in `config/layouts.toml`; here stands what is made of them. A field is named as there,
`layout.field`. Source: the assumptions A1, A6, A7, A9 to A12 and A16 of the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from oct.errors import ConfigurationError
from oct.formats.layouts import Layouts


class DreRecord(StrEnum):
    """A1: the record whose `invoice_kind` tells a DRE lot: the lot's first invoice, or its trailer."""

    INVOICE = "invoice_header"
    TRAILER = "lot_trailer"


class FileSender(StrEnum):
    """A9: who stands as sender in the files that the concentrator makes for an AMO."""

    OCT = "oct"
    PS = "ps"


class Type2Count(StrEnum):
    """A12: what the type2_count of a lot made or changed here counts."""

    RECEIVED = "received"
    """The convention that the received lot shows."""
    PLAIN = "plain"
    """Records 2 without complement."""
    ALL = "all"
    """The complements too."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """One value for each open point."""

    dre_record: DreRecord = DreRecord.INVOICE
    """A1."""
    dre_mark: str = "D"
    """A1: the value that tells a DRE there; also written in the AMC flow."""
    split_mark: str = "A"
    """A6: what `oct_split` becomes in an invoice that the concentrator split."""
    amo_drops: tuple[str, ...] = ("M", "P")
    """A6: complements of record 2 that the AMO does not receive."""
    amo_blanks: tuple[str, ...] = ()
    """A6: fields of invoice_header, invoice_total or lot_trailer that are emptied for the AMO, seals included."""
    tiers_payant: tuple[str, ...] = ("invoice_convention.settlement_operator", "invoice_convention.convention")
    """A7: tiers payant on the AMC part is asked when one of these is filled (neither blank nor zeros)."""
    amo_sender: FileSender = FileSender.OCT
    """A9."""
    amo_application: str = "TR"
    """A10."""
    amc_type: str = "OC"
    """A11: recipient type of an AMC for which the directory has none."""
    amc_application: str = "TA"
    """A11."""
    art_number_width: int = 14
    """A13: width of the PS number in the Subject of an ART."""
    warns_of_nir_keys: bool = True
    """A14: the ART says which invoices have a NIR whose key is wrong."""
    type2_count: Type2Count = Type2Count.RECEIVED
    """A12."""
    amc_fallback: str = "patient_total"
    """A16: field of invoice_total asked from the AMC when all lines ask nothing; empty: nothing is asked."""

    @property
    def dre_invoice_marks(self) -> bool:
        """Whether each invoice says by itself if it is a DRE."""
        return self.dre_record is DreRecord.INVOICE


_BLANKABLE = frozenset({"invoice_header", "invoice_total", "lot_trailer"})
_ASKING = frozenset({"invoice_header", "invoice_amc", "invoice_convention"})


def check_conventions(conventions: Conventions, layouts: Layouts) -> None:
    """Raises a ConfigurationError that names every convention the layouts cannot hold. Called once, at start."""
    faults = [
        *(f"amo_blanks : {name}" for name in conventions.amo_blanks if not _known(name, _BLANKABLE, layouts)),
        *(f"tiers_payant : {name}" for name in conventions.tiers_payant if not _known(name, _ASKING, layouts)),
        *(f"amo_drops : {mark!r}" for mark in conventions.amo_drops if len(mark) != 1 or mark.isspace()),
    ]
    fallback = conventions.amc_fallback
    if fallback and not _known(f"invoice_total.{fallback}", frozenset({"invoice_total"}), layouts):
        faults.append(f"amc_fallback : {fallback}")
    if not 9 <= conventions.art_number_width <= 20:
        faults.append(f"art_number_width : {conventions.art_number_width}")
    for name, layout, field in (
        ("dre_mark", "invoice_header", "invoice_kind"),
        ("dre_mark", "lot_trailer", "invoice_kind"),
        ("split_mark", "invoice_total", "oct_split"),
        ("amo_application", "file_header", "application"),
        ("amc_application", "file_header", "application"),
        ("amc_type", "file_header", "recipient_type"),
    ):
        value = str(getattr(conventions, name))
        if not value.strip() or len(value) > layouts[layout].fields[field].width:
            faults.append(f"{name} : {value!r}")
    if faults:
        raise ConfigurationError("conventions", "Conventions impossibles : " + ", ".join(dict.fromkeys(faults)) + ".")


def _known(name: str, allowed: frozenset[str], layouts: Layouts) -> bool:
    layout, _, field = name.partition(".")
    return layout in allowed and field in layouts[layout].fields
