"""`oct trace show`: the whole story of a message, found by any of its identifiers, both directions (J1); the rest of
`oct trace` is in proof.py and patients.py.

Identifiers, amounts, states and replies; never a payload.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oct.cli import patients, proof
from oct.cli.opening import ConfigOption, JsonOption, at_desk, note_command
from oct.cli.printing import Instant, cell, instant, print_json, print_rows
from oct.cli.usage import Noun
from oct.domain import words
from oct.domain.event_words import kind_said, outcome_said
from oct.errors import RuleError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oct.store.story import Story

app = Noun("La trace : toute l'histoire d'un message, et sa preuve.")
for _proof in (proof.export, proof.verify, proof.rotate, patients.pseudonym):
    app.command()(_proof)


@app.callback()
def _noun() -> None:
    """La trace : toute l'histoire d'un message, et sa preuve."""


@app.command()
def show(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Numéro de suivi, compostage, Message-ID, identifiant de fichier, facture, ou lot « PS/lot/date ».",
        ),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Raconte l'histoire d'un message.

    Plusieurs messages répondent à l'identifiant : ils sont listés.
    """
    from oct.store import events

    with at_desk(config) as desk:
        with desk.store.read() as conn:
            found = _meant(conn, identifier, events.find(conn, identifier))
            story = _document(conn, found[0]) if len(found) == 1 else {}
            rows = [_summary(conn, message_id) for message_id in found] if len(found) > 1 else []
        if not found:
            note_command(desk, "trace show", signes=len(identifier), trouve=0)  # it may be anything, a name as well
            raise RuleError("trace-inconnue", f"Rien n'est connu sous « {_printable(identifier)} ».")
        only = found[0] if story else None
        note_command(desk, "trace show", message_id=only, cherche=identifier.strip(), trouve=len(found))
    if rows:
        headings = {"suivi": "Suivi", "recu": "Reçu", "origine": "Origine", "etat": "État", "objet": "Objet"}
        print_rows(rows, headings, as_json=as_json, empty="")
    elif as_json:
        print_json(story)
    else:
        _tell(story)


def _meant(conn: Connection, identifier: str, found: list[int]) -> list[int]:
    """Of a claim and its answers, the one whose trace number was given, else the claim: its story holds them all."""
    from oct.store import messages

    if len(found) < 2:
        return found
    code = re.sub(r"[\s-]", "", identifier).upper()
    known = [message for message_id in found if (message := messages.by_id(conn, message_id)) is not None]
    exact = [message.id for message in known if message.trace.replace("-", "") == code]
    claims = [message.id for message in known if message.origin == "ps"]
    return exact or (claims if len(claims) == 1 else found)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:80])


def _summary(conn: Connection, message_id: int) -> dict[str, Any]:
    from oct.store import messages

    message = messages.by_id(conn, message_id)
    if message is None:
        raise RuleError("trace-inconnue", "Ce message n'existe plus.")
    return {
        "suivi": message.trace,
        "recu": Instant(message.received_at),
        "origine": words.word(words.ORIGIN, message.origin),
        "etat": words.word(words.MESSAGE, message.state),
        "objet": message.subject,
    }


def _document(conn: Connection, message_id: int) -> dict[str, Any]:
    """The story as plain values; the text and the JSON are made of the same."""
    from oct.store.story import tell

    story = tell(conn, message_id)
    if story is None:
        raise RuleError("trace-inconnue", "Ce message n'existe plus.")
    return {
        "message": _message(conn, story),
        "fichiers": [
            {
                "fichier": file.file_id,
                "forme": file.shape,
                "emetteur": file.sender_number,
                "destinataire": f"{file.recipient_type} {file.recipient_number}",
                "lots": file.lot_count,
                "factures": file.invoice_count,
                "sha256": file.sha256.hex(),
            }
            for file in story.files
        ],
        "lots": _lots(conn, story),
        "envois": _consignments(story),
        "retenues": [
            {
                "retenue": hold.id,
                "depuis": Instant(hold.opened_at),
                "objet": words.word(words.SUBJECT, hold.subject),
                "motif": hold.sentence,
                "decision": hold.decision,
                "close": instant(hold.closed_at),
            }
            for hold in story.holds
        ],
        "retours": _returns(conn, story),
        "evenements": [
            {
                "instant": Instant(event.at),
                "quoi": event.kind,
                "issue": event.outcome,
                "acteur": event.actor,
                **dict(event.data),
            }
            for event in story.events
        ],
    }


def _message(conn: Connection, story: Story) -> dict[str, Any]:
    from oct.store import insurers, practitioners

    message = story.message
    account = practitioners.by_id(conn, message.practitioner_id or 0)
    insurer = insurers.by_id(conn, message.insurer_id or 0)
    return {
        "suivi": message.trace,
        "recu": Instant(message.received_at),
        "origine": words.word(words.ORIGIN, message.origin),
        "ps": account.number if account is not None else "",
        "assureur": insurer.label if insurer is not None else "",
        "de": message.header_from,
        "pair": message.peer,
        "objet": message.subject,
        "message_id": message.message_id,
        "compostage": message.compostage,
        "taille": message.size,
        "sha256": message.sha256.hex(),
        "etat": words.word(words.MESSAGE, message.state),
        "code": message.code,
        "traite": instant(message.ended_at),
    }


def _lots(conn: Connection, story: Story) -> list[dict[str, Any]]:
    from oct.store import insurers

    told = []
    for lot in story.lots:
        insurer = insurers.by_id(conn, lot.insurer_id or 0)
        told.append(
            {
                "lot": f"{lot.ps_number}/{lot.number}/{lot.lot_date}",
                "genre": lot.kind,
                "assureur": insurer.label if insurer is not None else "",
                "factures": [invoice.number for invoice in story.invoices[lot.id]],
                "montant": f"{lot.billed / 100:.2f}",
                "etat": words.word(words.LOT, lot.state),
                "depuis": Instant(lot.state_at),
                "code": lot.code,
                "envoi": lot.consignment_id,
                "sha256": lot.sha256.hex(),
            }
        )
    return told


def _consignments(story: Story) -> list[dict[str, Any]]:
    return [
        {
            "envoi": one.id,
            "genre": words.word(words.KIND, one.kind),
            "destinataire": one.recipient,
            "fichier": one.file_id,
            "compostage": one.compostage,
            "message_id": one.message_uid,
            "taille": one.size,
            "etat": words.word(words.CONSIGNMENT, one.state),
            "remis": instant(one.delivered_at),
            "prochain_essai": instant(one.due_at),
            "essais": one.attempts,
            "remplace_par": one.replaced_by,
            "reponse": one.reply,
            "sha256": one.sha256.hex(),
        }
        for one in story.consignments
    ]


def _returns(conn: Connection, story: Story) -> list[dict[str, Any]]:
    from oct.store import consignments, messages

    told = []
    for one, answers in story.returns:
        brought = messages.by_id(conn, one.message_id)
        sending = consignments.by_id(conn, one.consignment_id or 0)
        told.append(
            {
                "retour": one.id,
                "genre": one.kind,
                "recu": Instant(one.received_at),
                "suivi": brought.trace if brought is not None else "",
                "reference": one.reference,
                "reconnu_par": one.evidence,
                "etat": words.word(words.RETURN, story.progress[one.id]),
                "envoi": one.consignment_id,
                "destinataire": sending.recipient if sending is not None else "",
                "etat_envoi": words.word(words.CONSIGNMENT, sending.state) if sending is not None else "",
                "remis": instant(sending.delivered_at) if sending is not None else None,
                "reponse": sending.reply if sending is not None else "",
                "lots": [{"issue": answer.outcome, "code": answer.code, "libelle": answer.label} for answer in answers],
            }
        )
    return told


_TITLES = {
    "message": "Message",
    "fichiers": "Fichier",
    "lots": "Lot",
    "envois": "Envoi",
    "retenues": "Retenue",
    "retours": "Retour",
    "evenements": "Événement",
}
_HIDDEN = frozenset({"sha256", "sha256_fichier", "sha256_message", "empreintes"})
"""Left to the JSON: nobody reads a digest aloud."""


def _tell(story: dict[str, Any]) -> None:
    """One line for each thing."""
    for part, title in _TITLES.items():
        things = story[part] if isinstance(story[part], list) else [story[part]]
        for thing in map(_worded, things) if part == "evenements" else things:
            known = {
                name: value for name, value in thing.items() if name not in _HIDDEN and value not in ("", None, [])
            }
            print(
                f"{title:<9} "
                + " · ".join(f"{name.replace('_', ' ')} {_inline(value)}" for name, value in known.items())
            )


def _worded(event: dict[str, Any]) -> dict[str, Any]:
    """An event in words; the JSON has its codes."""
    kind, outcome = event["quoi"], event["issue"]
    return {**event, "quoi": kind_said(kind), "issue": outcome_said(kind, outcome)}


def _inline(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_inline(one) for one in value)
    if isinstance(value, dict):
        return " ".join(cell(one) for one in value.values() if one)
    return cell(value)
