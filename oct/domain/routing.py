"""Where a lot or a whole file goes (rules L3, L4, L8, S1): one destination, a hold, or a refusal.

The directory is handed in. A routing either gives an `Insurer`, or raises: RuleError when nothing that an operator
could add to the directory would help (the lot contradicts itself), RoutingError when it waits for him (L6).
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

from oct.domain.conventions import Conventions
from oct.domain.model import Directory, Insurer, LotKind, Practitioner
from oct.domain.plan import SplitContext
from oct.errors import Place, RoutingError, RuleError
from oct.formats.b2 import B2File, Invoice, Lot
from oct.formats.layouts import RECORD

_CAISSE = itemgetter(*map(Invoice._fields.index, ("regime", "caisse", "centre")))
AMC_TYPES = frozenset({"OC", "CS"})
"""Recipient types of a complementary insurer in a 000 header."""


def kind_of(lot: Lot, conventions: Conventions) -> LotKind:
    """A1: a DRE lot shows itself by the kind of its first invoice (setting: by its trailer)."""
    mark = lot.invoices[0].kind if conventions.dre_invoice_marks else lot.kind
    return LotKind.DRE if mark == conventions.dre_mark else LotKind.FSE


def route_lot(lot: Lot, context: SplitContext) -> Insurer:
    """The one insurer of a lot of a single file (L3, L4)."""
    conventions = context.conventions
    kinds = {invoice.kind for invoice in lot.invoices}
    if conventions.dre_invoice_marks and len(kinds) > 1 and conventions.dre_mark in kinds:
        raise _ambiguous(lot, "il mêle des FSE et des DRE", _first(context, "lot_header", "recipient_organism"))
    return _route_dre(lot, context) if kind_of(lot, conventions) is LotKind.DRE else _route_fse(lot, context)


def route_file(file: B2File, context: SplitContext) -> Insurer:
    """The insurer that a file split at the source names in its header (S1)."""
    return route_recipient(file.recipient_type, file.recipient_number, context)


def route_recipient(recipient_type: str, number: str, context: SplitContext) -> Insurer:
    """The insurer that a 000 header names: type of 2 letters, number of 14 characters."""
    directory = context.directory
    insurer = directory.complementary(number) if recipient_type in AMC_TYPES else directory.addressed(number)
    if insurer is None:
        raise RoutingError(
            "destinataire-inconnu",
            f"Le destinataire {_shown(recipient_type)} {_shown(number)} n'est pas dans l'annuaire.",
            place=Place(1, _first(context, "file_header", "recipient_type")),
            rule="L6",
        )
    return insurer


def route_amc(number: str, directory: Directory, *, place: Place | None = None) -> Insurer:
    """The AMC of that number (L4, C7)."""
    insurer = directory.complementary(number) if number else None
    if insurer is None:
        named = f"L'AMC {_shown(number)} n'est pas dans l'annuaire" if number else "Aucune AMC n'est nommée"
        raise RoutingError("amc-inconnue", f"{named}.", place=place, rule="L6")
    return insurer


def check_sender(number: str | None, practitioner: Practitioner, by_number: Mapping[str, Practitioner]) -> None:
    """The practitioner that a header names as its sender is the one who wrote: RuleError when it is another account
    (M4), RoutingError when nobody here has that number (L8). A header that names none says nothing."""
    if number is None or number in practitioner.numbers:
        return
    if number in by_number:
        raise RuleError("emetteur-etranger", "L'émetteur du fichier est un autre PS que celui du message.", rule="M4")
    sentence = f"Le numéro PS {_shown(number)} n'appartient pas au compte de l'expéditeur."
    raise RoutingError("numero-etranger", sentence, rule="L8")


def check_owner(lot: Lot, practitioner: Practitioner, context: SplitContext) -> None:
    """L8: the PS number of a lot must belong to the sender's account."""
    if lot.ps_number not in practitioner.numbers:
        raise RoutingError(
            "numero-etranger",
            f"Le numéro PS {_shown(lot.ps_number)} n'appartient pas au compte de l'expéditeur.",
            place=Place(lot.start // RECORD + 1, _first(context, "lot_header", "ps_number")),
            rule="L8",
        )


def _route_fse(lot: Lot, context: SplitContext) -> Insurer:
    found = {key: context.directory.caisse(*key) for key in dict.fromkeys(map(_CAISSE, lot.invoices))}
    insurers = {insurer.id: insurer for insurer in found.values() if insurer is not None}
    if len(found) > 1 and (len(insurers) > 1 or len({regime for regime, _, _ in found}) > 1):
        raise _ambiguous(
            lot, "ses factures relèvent de caisses différentes", _first(context, "lot_header", "recipient_organism")
        )
    for key, insurer in found.items():
        if insurer is None:
            raise _unknown(lot, key, context)
    (insurer,) = insurers.values()
    if lot.organism != insurer.organism:
        named = f"son en-tête nomme l'organisme {_shown(lot.organism)}, ses factures {insurer.organism}"
        raise _ambiguous(lot, named, _first(context, "lot_header", "recipient_organism"))
    return insurer


def _unknown(lot: Lot, key: tuple[str, str, str], context: SplitContext) -> RoutingError:
    regime, caisse, centre = map(_shown, key)
    stray = next(invoice for invoice in lot.invoices if _CAISSE(invoice) == key)
    return RoutingError(
        "caisse-inconnue",
        f"La caisse {caisse} (régime {regime}, centre {centre}) n'est pas dans l'annuaire.",
        place=Place(stray.start // RECORD + 1, _first(context, "invoice_header", "regime")),
        rule="L6",
    )


def _route_dre(lot: Lot, context: SplitContext) -> Insurer:
    numbers = {invoice.amc_number for invoice in lot.invoices}
    position = _first(context, "invoice_amc", "amc_edi_number")
    if len(numbers) > 1:
        raise _ambiguous(lot, "ses factures nomment des AMC différentes", position)
    return route_amc(numbers.pop(), context.directory, place=Place(lot.invoices[0].start // RECORD + 1, position))


def _ambiguous(lot: Lot, why: str, position: int) -> RuleError:
    return RuleError(
        "destination-ambigue",
        f"Lot {lot.number}, destination ambiguë : {why}.",
        place=Place(lot.start // RECORD + 1, position),
        rule="L3",
    )


def _first(context: SplitContext, layout: str, field: str) -> int:
    return context.layouts[layout].fields[field].first


def _shown(value: str) -> str:
    """A value of a received file as a sentence may quote it: numbers and letters, never what could be anything."""
    return value if value.isalnum() else "illisible"
