"""What a practitioner is told after its ART (T1): a delivery that failed, a hold that was decided.

Plain French, lines of 72 characters at most, numbers of lots only (T3).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime

_WIDTH = 72


def failed_delivery(concentrator: str, number: str, trace: str, insurer: str, lots: Sequence[str], at: datetime) -> str:
    """The file for an insurer could not be handed over. `at` is when it was ready, in legal French time."""
    return _letter(
        concentrator,
        number,
        trace,
        f"Votre envoi du {at:%d/%m/%Y} n'a pas pu être remis à {insurer} ({_lots(lots)}).",
        "L'opérateur est prévenu et le renverra. Vous n'avez rien à refaire pour l'instant.",
    )


def released(concentrator: str, number: str, trace: str, insurers: Sequence[str], lots: Sequence[str]) -> str:
    """What was waiting has left."""
    return _letter(
        concentrator,
        number,
        trace,
        f"Ce qui était en attente ({_lots(lots)}) a été transmis à {', '.join(insurers)}.",
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


def _lots(numbers: Sequence[str]) -> str:
    if not numbers:
        return "le message entier"
    return f"lot{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def _letter(concentrator: str, number: str, trace: str, *paragraphs: str) -> str:
    head = [f"{concentrator} - suite de votre envoi", "", f"Numéro de suivi : {trace}", f"PS : {number}", ""]
    body = [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, _WIDTH)]
    return "\n".join([*head, *body, "", "Pour toute question, donnez le numéro de suivi ci-dessus."]) + "\n"
