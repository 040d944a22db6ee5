"""How pages name states and kinds, and which tone they show them in: the words are the domain's (`domain/words.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oct.domain import words
from oct.domain.event_words import EVENTS

_TONES: Mapping[str, frozenset[str]] = {
    "good": frozenset({"processed", "delivered", "acknowledged", "paid", "transmis", "depose", "releve", "P"}),
    "wait": frozenset(
        {"held", "received", "waiting", "gathering", "sent", "unanswered", "part_paid", "retenu", "attente", "D"}
    ),
    "bad": frozenset({"refused", "refused_here", "failed", "rejected", "manual", "refuse", "echec", "R"}),
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "message": words.MESSAGE,
    "lot": words.LOT,
    "envoi": words.CONSIGNMENT,
    "retour": words.RETURN,
    "objet": words.SUBJECT,
    "origine": words.ORIGIN,
    "genre": words.KIND,
    "preuve": words.EVIDENCE,
    "forme": words.SHAPE,
    "decision": EVENTS["decision"].outcomes,
    "facture": {"P": "payée", "R": "rejetée", "D": "différée", "": "sans réponse"},
}


def word(state: str, of: str) -> str:
    """The French word of a state or kind of something: `message`, `lot`, `envoi`, `retour`, `facture`…"""
    return words.word(_WORDS[of], state)


def tone(state: str) -> str:
    """`good`, `wait`, `bad`, or nothing: how a state looks, besides its word."""
    return next((name for name, states in _TONES.items() if state in states), "")


def details(data: Mapping[str, object]) -> str:
    """The data of an event on one line, without what says nothing; all of it is on the page of the event."""
    return " · ".join(
        f"{name} {told(value)}" for name, value in sorted(data.items()) if value not in ("", None, [], {})
    )


def told(value: object) -> str:
    """A value out of the data of an event, as people write it."""
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, Mapping):  # what became of lots, by their ids
        return ", ".join(f"{name} {words.word(words.LOT, str(state))}" for name, state in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(told, value))
    return str(value)
