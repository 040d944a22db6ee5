"""Where a lot or a whole file goes (rules L3, L4, L8, S1): one destination, a hold, or a refusal.

The directory is handed in. A routing either gives an `Insurer`, or raises: RuleError when nothing that an operator
could add to the directory would help (the lot contradicts itself), RoutingError when it waits for him (L6).
"""

from __future__ import annotations

from oct.domain.model import Directory, Insurer, LotKind, Practitioner
from oct.errors import Place, RoutingError, RuleError
from oct.formats.b2 import B2File, Lot
from oct.formats.layouts import RECORD

AMC_TYPES = frozenset({"OC", "CS"})
"""Recipient types of a complementary insurer in a 000 header."""


def kind_of(lot: Lot) -> LotKind:
    """A1: a DRE lot shows itself by the kind of its first invoice."""
    return LotKind.DRE if lot.invoices[0].kind == "D" else LotKind.FSE


def route_lot(lot: Lot, directory: Directory) -> Insurer:
    """The one insurer of a lot of a single file (L3, L4)."""
    return _route_dre(lot, directory) if kind_of(lot) is LotKind.DRE else _route_fse(lot, directory)


def route_file(file: B2File, directory: Directory) -> Insurer:
    """The insurer that a file split at the source names in its header (S1)."""
    if file.recipient_type in AMC_TYPES:
        insurer = directory.complementary(file.recipient_number)
    else:
        insurer = directory.addressed(file.recipient_number)
    if insurer is None:
        raise RoutingError(
            "destinataire-inconnu",
            f"Le destinataire {file.recipient_type} {file.recipient_number} n'est pas dans l'annuaire.",
            place=Place(1, 26),
            rule="L6",
        )
    return insurer


def check_owner(lot: Lot, practitioner: Practitioner) -> None:
    """L8: the PS number of a lot must belong to the sender's account."""
    if lot.ps_number not in practitioner.numbers:
        raise RoutingError(
            "numero-etranger",
            f"Le numéro PS {lot.ps_number} n'appartient pas au compte de l'expéditeur.",
            place=Place(lot.start // RECORD + 1, 2),
            rule="L8",
        )


def _route_fse(lot: Lot, directory: Directory) -> Insurer:
    keys = dict.fromkeys((invoice.regime, invoice.caisse, invoice.centre) for invoice in lot.invoices)
    found = {key: directory.caisse(*key) for key in keys}
    insurers = {insurer.id: insurer for insurer in found.values() if insurer is not None}
    if len(insurers) > 1 or len({regime for regime, _, _ in keys}) > 1:
        raise _ambiguous(lot, "ses factures relèvent de caisses différentes", 49)
    unknown = next((key for key, insurer in found.items() if insurer is None), None)
    if unknown is not None:
        regime, caisse, centre = unknown
        raise RoutingError(
            "caisse-inconnue",
            f"La caisse {caisse} (régime {regime}, centre {centre}) n'est pas dans l'annuaire.",
            place=Place(lot.invoices[0].start // RECORD + 1, 49),
            rule="L6",
        )
    (insurer,) = insurers.values()
    if lot.organism != insurer.organism:
        raise _ambiguous(lot, f"son en-tête nomme l'organisme {lot.organism}, ses factures {insurer.organism}", 17)
    return insurer


def _route_dre(lot: Lot, directory: Directory) -> Insurer:
    numbers = {invoice.amc_number for invoice in lot.invoices}
    if len(numbers) > 1:
        raise _ambiguous(lot, "ses factures nomment des AMC différentes", 37)
    return route_amc(numbers.pop(), directory, place=Place(lot.invoices[0].start // RECORD + 1, 37))


def route_amc(number: str, directory: Directory, *, place: Place | None = None) -> Insurer:
    """The AMC of that number (L4, C7)."""
    insurer = directory.complementary(number) if number else None
    if insurer is None:
        named = f"L'AMC {number} n'est pas dans l'annuaire" if number else "Aucune AMC n'est nommée"
        raise RoutingError("amc-inconnue", f"{named}.", place=place, rule="L6")
    return insurer


def _ambiguous(lot: Lot, why: str, position: int) -> RuleError:
    return RuleError(
        "destination-ambigue",
        f"Lot {lot.number}, destination ambiguë : {why}.",
        place=Place(lot.start // RECORD + 1, position),
        rule="L3",
    )
