"""The French words for what events tell, by their kind and outcome: the one table of all that the code writes.

An event itself holds short codes, which its leaf covers; these words are for who reads it, beside the codes. A kind
that is not here, or an outcome, is shown as it is. `tests/domain/test_event_words.py` keeps the table complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_DONE = {"fait": "fait"}
_REGISTER = {"ouvert": "ouvert", "modifie": "modifié", "ferme": "fermé"}


@dataclass(frozen=True, slots=True)
class EventWords:
    """What a kind of event is, and its outcomes; `any_outcome` where these are codes of reasons, which are many."""

    kind: str
    outcomes: Mapping[str, str]
    any_outcome: str = ""


EVENTS: Mapping[str, EventWords] = {
    "acces": EventWords("accès", {"refuse": "refusé", "autres": "autres refus, comptés"}),
    "assureur": EventWords("assureur", {"modifie": "modifié"}),
    "avis": EventWords(
        "avis de remise",
        {
            "retarde": "remise retardée",
            "confirme": "remise confirmée",
            "relaye": "passé à un autre serveur",
            "echec": "non remis",
            "sans-effet": "sans effet",
        },
    ),
    "certificat": EventWords("certificat", {"ajout": "ajouté", "retire": "retiré"}),
    "compte": EventWords("compte de la console", _REGISTER),
    "connexion": EventWords("connexion", {"fait": "réussie", "refuse": "refusée"}),
    "consulte": EventWords(
        "consultation",
        {
            "page": "page",
            "recherche": "recherche",
            "export": "export",
            "contenu": "contenu d'un message",
            "commande": "ligne de commande",
            "appel": "appel de l'API",
            "vain": "rien de tel",
        },
    ),
    "decision": EventWords(
        "décision",
        {
            "libere": "libéré",
            "refuse": "refusé",
            "attribue": "attribué à un PS",
            "renvoye": "retour renvoyé",
            "remplace": "remplacé par une réémission",
            "detourne": "boîte détournée",
            "retabli": "boîte rétablie",
        },
    ),
    "deconnexion": EventWords("déconnexion", _DONE),
    "demande": EventWords("demande de dLOI", {"transmise": "transmise à l'émetteur"}),
    "depot": EventWords("dépôt en boîte hébergée", {"depose": "déposé", "redepose": "déposé de nouveau"}),
    "detourne": EventWords("boîte du PS en panne", {"boite": "retours détournés vers la boîte hébergée"}),
    "efface": EventWords("effacé de la boîte hébergée", _DONE),
    "groupage": EventWords("groupage", {"attente": "en attente d'autres fichiers", "pret": "prêt à partir"}),
    "import": EventWords("import d'une table", _DONE),
    "increment": EventWords(
        "incrément de dLOI", {"garde": "gardé", "connu": "déjà connu", "transmis": "transmis au PS"}
    ),
    "jeton": EventWords("jeton de l'API", {"ouvert": "créé", "revoque": "révoqué"}),
    "lot_refuse": EventWords("lot", {"refuse": "refusé ici"}),
    "praticien": EventWords("praticien", _REGISTER),
    "purge": EventWords(
        "purge",
        {
            "contenus": "contenus détruits",
            "acces": "détails de consultations effacés",
            "journal": "événements anciens vidés",
            "factures": "factures anciennes effacées",
        },
    ),
    "ralenti": EventWords("expéditeur ralenti", {"reporte": "ouverture reportée"}),
    "recu": EventWords("message reçu", {"nouveau": "accepté", "repete": "transaction répétée"}),
    "reemission": EventWords(
        "lots déjà reçus",
        {
            "deja-accepte": "déjà acceptés : ARL renvoyé",
            "en-attente": "réponse attendue : non transmis",
            "sans-reponse": "restés sans réponse : transmis de nouveau",
            "refait": "refusés ou retenus avant : traités comme nouveaux",
            "different": "autre contenu sous la même identité",
        },
    ),
    "refus": EventWords("refus à la porte", {"refuse": "refusé", "autres": "autres refus, comptés"}),
    "releve": EventWords("relevé de la boîte hébergée", _DONE),
    "remise": EventWords(
        "remise",
        {
            "remis": "remis",
            "differe": "à réessayer",
            "echec": "impossible",
            "detruit": "contenu détruit avant l'envoi",
        },
    ),
    "repris": EventWords("repris de la boîte hébergée", _DONE),
    "restauration": EventWords("reprise d'une sauvegarde", {"reprise": "faite"}),
    "retenu": EventWords("retenu", {}, any_outcome="décision attendue"),
    "retour": EventWords("retour d'assureur", {"remis": "mis en envoi vers le PS", "propre": "gardé ici (flux AMC)"}),
    "scelle": EventWords("fichier chiffré", {"pret": "prêt à partir"}),
    "session": EventWords("session", {"refuse": "refusée", "fermee": "fermée"}),
    "silence": EventWords(
        "silence de l'assureur", {"sans-reponse": "sans réponse", "manuel": "à traiter manuellement"}
    ),
    "tete": EventWords("tête du journal", {"courrier": "envoyée par courrier"}),
    "traite": EventWords("traitement", {"processed": "traité", "refused": "refusé", "held": "retenu"}),
    "verrou": EventWords("connexions trop nombreuses", {"pose": "attente imposée"}),
}


def kind_said(kind: str) -> str:
    """What happened."""
    return EVENTS[kind].kind if kind in EVENTS else kind


def outcome_said(kind: str, outcome: str) -> str:
    """How it ended."""
    if kind not in EVENTS:
        return outcome
    return EVENTS[kind].outcomes.get(outcome, EVENTS[kind].any_outcome or outcome)
