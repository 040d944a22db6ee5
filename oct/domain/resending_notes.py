"""What the ART says of a lot that was received before, in words a secretary understands (D2, D3, T3).

Instants are legal French time. Every sentence names the first sending by its trace number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from oct.domain.duplicates import Judgement, Sending, Verdict
from oct.domain.journey import LotState


@dataclass(frozen=True, slots=True)
class Instants:
    """When the first sending was received, delivered and accepted; None when it was not."""

    received: datetime
    delivered: datetime | None = None
    accepted: datetime | None = None


def note(history: Judgement, at: Instants, insurer: str, *, leaves: bool, arl: bool) -> str:
    """The sentence for a lot; empty for a new one. `arl`: its stored ARL goes out again with this ART."""
    first = history.first
    if first is None or history.verdict is Verdict.DIFFERENT:
        return ""
    if history.verdict is Verdict.OVERDUE:
        return (
            f"Remis une première fois le {_instant(at.delivered)} ({_sent(first, at)}), resté sans réponse : renvoyé."
        )
    if history.verdict is Verdict.RETRY:
        return _retry(first, at)
    said = _accepted(first, at, insurer) if history.verdict is Verdict.ACKNOWLEDGED else _awaited(first, at, insurer)
    if leaves and history.replaces and history.verdict is Verdict.WAITING:
        return (
            f"Remplace l'envoi qui était en attente ({_sent(first, at)}), dont le fichier ne partira plus : "
            "renvoyez ses autres lots."
        )
    if leaves:
        return f"{said} Transmis à nouveau avec son fichier."
    return f"{said} Son accusé (ARL) vous est renvoyé." if arl else said


def different(number: str, history: Judgement, at: Instants, insurer: str) -> str:
    """D3: what the practitioner should check."""
    sent = _sent(history.first, at) if history.first is not None else ""
    return (
        f"Le lot {number} pour {insurer} a déjà été reçu avec un autre contenu ({sent}) : celui-ci est traité comme un "
        "autre lot. Vérifiez la numérotation de vos lots."
    )


def _accepted(first: Sending, at: Instants, insurer: str) -> str:
    return f"Déjà accepté par {insurer or 'son assureur'} le {_instant(at.accepted)} ({_sent(first, at)})."


def _awaited(first: Sending, at: Instants, insurer: str) -> str:
    if first.hold_id is not None:
        return (
            f"Déjà reçu ({_sent(first, at)}) et en attente ici dans un fichier qui part entier : "
            "l'opérateur s'en occupe."
        )
    if at.delivered is None:
        return f"Déjà reçu ({_sent(first, at)}) : il est en cours d'envoi."
    return (
        f"Déjà remis à {insurer or 'son assureur'} le {_instant(at.delivered)} ({_sent(first, at)}) : réponse attendue."
    )


def _retry(first: Sending, at: Instants) -> str:
    if first.hold_id is not None:
        return f"Remplace l'envoi qui était en attente ({_sent(first, at)})."
    why = "non remis" if first.failed else _REFUSED.get(first.state, "sans suite")
    return f"Déjà reçu ({_sent(first, at)}) mais {why} : traité comme un nouveau lot."


_REFUSED = {
    LotState.REFUSED: "refusé par l'assureur",
    LotState.REJECTED: "rejeté par l'assureur",
    LotState.REFUSED_HERE: "refusé",
}


def _sent(first: Sending, at: Instants) -> str:
    return f"envoi du {_instant(at.received)}, suivi {first.trace}"


def _instant(at: datetime | None) -> str:
    return f"{at:%d/%m/%Y à %H:%M}" if at is not None else "date inconnue"
