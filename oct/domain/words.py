"""The French words for states and kinds, wherever a person reads one. What is not here is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping

MESSAGE: Mapping[str, str] = {
    "received": "reçu, à traiter",
    "processed": "traité",
    "refused": "refusé",
    "held": "retenu",
}
CONSIGNMENT: Mapping[str, str] = {
    "gathering": "à grouper",
    "replaced": "remplacé",
    "waiting": "en attente",
    "delivered": "remis",
    "failed": "non remis",
}
LOT: Mapping[str, str] = {
    "received": "reçu",
    "held": "retenu",
    "refused_here": "refusé ici",
    "duplicate": "doublon, non transmis",
    "sent": "en partance",
    "delivered": "remis à l'assureur",
    "acknowledged": "accepté (ARL)",
    "refused": "refusé par l'assureur",
    "paid": "payé",
    "part_paid": "payé en partie",
    "rejected": "rejeté",
    "unanswered": "sans réponse",
    "manual": "traitement manuel",
}
RETURN: Mapping[str, str] = {
    "attente": "en attente de remise au PS",
    "transmis": "transmis au PS",
    "echec": "non remis au PS",
    "depose": "déposé dans sa boîte hébergée",
    "releve": "relevé par le PS",
    "efface": "effacé de sa boîte sans être lu",
    "propre": "gardé ici (flux AMC)",
    "retenu": "retenu",
    "refuse": "refusé ici",
}
SUBJECT: Mapping[str, str] = {
    "message": "message",
    "file": "fichier",
    "lot": "lots",
    "consignment": "envoi",
    "return": "retour",
}
ORIGIN: Mapping[str, str] = {
    "ps": "PS",
    "assureur": "assureur",
    "avis": "avis de remise",
    "emetteur": "émetteur de listes",
    "inconnu": "inconnu, refusé",
    "journal": "journal",
}
EVIDENCE: Mapping[str, str] = {
    "header": "l'entête du fichier",
    "content": "ce à quoi il répond",
    "message": "le message auquel il répond",
    "operateur": "une décision",
}
SHAPE: Mapping[str, str] = {
    "unique": "fichier unique",
    "source": "éclaté à la source",
    "scor": "SCOR",
    "flux": "autre flux",
}
KIND: Mapping[str, str] = {
    "facture": "factures",
    "groupe": "factures groupées",
    "art": "ART",
    "texte": "texte",
    "retour": "retour",
    "tete": "tête du journal",
}


def word(words: Mapping[str, str], state: str) -> str:
    """The French word of a state."""
    return words.get(state, state)
