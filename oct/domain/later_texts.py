"""What a practitioner is told after its ART (T1): a delivery that failed, a hold that was decided, a silence (D1).

Plain French, lines of 72 characters at most, numbers of lots only (T3).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

_WIDTH = 72
_UNITS = ((3_600_000, "h"), (60_000, "min"))


@dataclass(frozen=True, slots=True)
class SilentLot:
    """A lot that its insurer does not answer, as the practitioner knows it. `delivered` is legal French time."""

    name: str
    insurer: str
    delivered: datetime


def failed_delivery(concentrator: str, number: str, trace: str, insurer: str, lots: Sequence[str], at: datetime) -> str:
    """The file for an insurer could not be handed over. `at` is when it was ready, in legal French time."""
    return _letter(
        concentrator,
        number,
        trace,
        f"Votre envoi du {at:%d/%m/%Y} n'a pas pu être remis à {insurer} ({_lots(lots)}).",
        "L'opérateur est prévenu et le renverra. Vous n'avez rien à refaire pour l'instant.",
    )


def withheld(concentrator: str, number: str, trace: str, insurer: str, reason: str, lots: Sequence[str]) -> str:
    """What was to leave grouped with others (A15) waits for a person."""
    return _letter(
        concentrator,
        number,
        trace,
        f"Votre envoi pour {insurer} ({_lots(lots)}), qui devait partir groupé avec d'autres, est en attente.",
        f"Motif : {reason}",
        "L'opérateur est prévenu. Vous n'avez rien à refaire.",
    )


def released(
    concentrator: str,
    number: str,
    trace: str,
    insurers: Sequence[str],
    lots: Sequence[str],
    replaced: Sequence[str] = (),
) -> str:
    """What was waiting has left, but for the lots that a later sending replaced (D2)."""
    others = [f"Déjà remplacé par un envoi plus récent : {_lots(replaced)}."] if replaced else []
    return _letter(
        concentrator,
        number,
        trace,
        f"Ce qui était en attente ({_lots(lots)}) a été transmis à {', '.join(insurers)}.",
        *others,
    )


def turned_down(concentrator: str, number: str, trace: str, reason: str, lots: Sequence[str]) -> str:
    """The operator decided that what was waiting will not leave."""
    return _letter(
        concentrator,
        number,
        trace,
        f"Ce qui était en attente ({_lots(lots)}) ne sera pas transmis.",
        f"Motif : {reason}",
        "Corrigez puis renvoyez.",
    )


def unanswered(concentrator: str, number: str, trace: str, silence: int, lots: Sequence[SilentLot]) -> str:
    """D1: delivered, and no answer for `silence` milliseconds."""
    return _letter(
        concentrator,
        number,
        trace,
        f"Sans réponse depuis {span(silence)} :",
        *_silent(lots),
        "Aucun accusé (ARL) n'est revenu. Si votre logiciel propose de renvoyer, acceptez : l'envoi sera refait.",
    )


def manual(concentrator: str, number: str, trace: str, silence: int, lots: Sequence[SilentLot]) -> str:
    """D1: still no answer after the second delay; people take over."""
    return _letter(
        concentrator,
        number,
        trace,
        f"Traitement manuel : toujours sans réponse depuis {span(silence)} :",
        *_silent(lots),
        "L'opérateur est prévenu et suit ces lots. Ne les renvoyez plus sans son accord.",
    )


def _silent(lots: Sequence[SilentLot]) -> list[str]:
    return [f"- {lot.name} remis à {lot.insurer} le {lot.delivered:%d/%m/%Y à %H:%M}" for lot in lots]


def span(duration: int) -> str:
    """A duration in the largest unit of which it is a whole number: hours, minutes, or seconds."""
    unit, name = next(((unit, name) for unit, name in _UNITS if not duration % unit), (1000, "s"))
    return f"{duration // unit} {name}"


def _lots(numbers: Sequence[str]) -> str:
    if not numbers:
        return "le message entier"
    return f"lot{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def _letter(concentrator: str, number: str, trace: str, *paragraphs: str) -> str:
    head = [f"{concentrator} - suite de votre envoi", "", f"Numéro de suivi : {trace}", f"PS : {number}", ""]
    body = [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, _WIDTH)]
    return "\n".join([*head, *body, "", "Pour toute question, donnez le numéro de suivi ci-dessus."]) + "\n"
