"""Returns of insurers: the list, one of them, and sending it again (R6)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from oct.domain import words
from oct.errors import RuleError
from oct.steps.journal.reading import Look, Looked
from oct.steps.redelivery import redeliver
from oct.store import messages, returns
from oct.store.browse import listings
from oct.store.registry import Snapshot
from oct.store.returns import LotAnswer, Return, ReturnState
from oct.web.api.calling import Acting, Reading, operation
from oct.web.api.fields import (
    Digest,
    Document,
    Filters,
    Given,
    Instant,
    Label,
    Line,
    Listing,
    Octets,
    RowId,
    Trace,
    label_of,
    listing,
    number_of,
    told,
)
from oct.web.api.lots import LotAnswerDocument
from oct.web.pages.reader import filters, found, id_of, listed
from oct.web.pages.returns import checked_address, outcome_of

router = APIRouter(prefix="/retours", tags=["retours"])


class ReturnDocument(Document):
    """Un retour."""

    id: RowId
    suivi: Trace
    genre: str = told("ARL, RSP, TEXTE ou DLOI.", "RSP")
    recu: Instant
    assureur: Label
    ps: str = told("Numéro du praticien à qui il est ; vide tant que personne ne le sait.", "991234567")
    reference: str = told("Référence NOEMIE (580, 576, 900) ; vide sans référence.", "576")
    reconnu_par: str = told("À quoi le praticien a été reconnu ; vide quand il ne l'est pas.", "content")
    etat: ReturnState = told("État : remis (à l'envoi), propre (gardé ici), retenu, refuse.", "remis")
    etat_en_clair: str = told("Où il en est sur le chemin du praticien, en français.", "transmis au PS")
    envoi: int | None = told("Numéro de l'envoi qui le porte au praticien ; nul sans envoi.", 43)
    taille: Octets
    sha256: Digest


class ReturnDetail(ReturnDocument):
    """Un retour, avec ce qu'il dit de chaque lot."""

    lots: list[LotAnswerDocument] = Field(description="Par lot.")


class ReturnFilters(Filters):
    """Ceux d'un praticien."""

    ps: str | None = Field(None, description="Numéro d'un praticien.", max_length=20, examples=["991234567"])


class SendAgain(Document):
    """Où renvoyer un retour."""

    adresse: Line | None = Field(
        None,
        description="À cette adresse, cette fois ; nulle : à la boîte du praticien.",
        max_length=254,
        examples=["cabinet@exemple.test"],
    )


class SentAgain(Document):
    """Ce qu'il advient d'un renvoi."""

    id: RowId
    issue: Literal["envoye", "attend", "parti"] = told(
        "`envoye` : remis en envoi ; `attend` : il attendait déjà d'être envoyé ; `parti` : sa conservation a pris "
        "fin.",
        "envoye",
    )


@router.get("", **operation("lister_retours", "Les retours des assureurs, du plus récent au plus ancien."))
def list_all(call: Reading, asked: Annotated[ReturnFilters, Query()]) -> Listing[ReturnDocument]:
    """One page."""
    with call.look() as (conn, register):
        account = found(register.by_number.get(asked.ps)) if asked.ps is not None else None
        page = listed(
            lambda cursor: listings.returns_page(conn, cursor, practitioner_id=id_of(account)), asked.suite or ""
        )
        progress = returns.progress(conn, [row.of for row in page.rows])
    return call.answer(
        listing([return_document(one.of, one.trace, progress[one.of.id], register) for one in page.rows], page),
        Looked(Look.CALL, practitioner_id=id_of(account), data=filters(suite=asked.suite)),
    )


@router.get("/{ident}", **operation("lire_retour", "Un retour, et ce qu'il dit de chaque lot."))
def read(call: Reading, ident: Given) -> ReturnDetail:
    """One of them."""
    with call.look() as (conn, register):
        one = found(returns.by_id(conn, ident))
        trace = found(messages.by_id(conn, one.message_id)).trace
        answers = returns.answers_of(conn, one.id)
        progress = returns.progress(conn, [one])[one.id]
    return call.answer(return_detail(one, answers, trace, progress, register), _looked(one))


@router.post(
    "/{ident}/renvoi",
    **operation(
        "renvoyer_retour",
        "Renvoie un retour : les mêmes octets.",
        "À la boîte du praticien, ou à l'adresse donnée. Demande le droit d'agir. 422 quand il n'a été envoyé à "
        "personne, ou que l'adresse est celle de quelqu'un d'autre.",
    ),
)
def send_again(call: Acting, ident: Given, asked: SendAgain) -> SentAgain:
    """Puts it into the queue again."""
    with call.look() as (conn, _):
        one = found(returns.by_id(conn, ident))
    if one.consignment_id is None:
        raise RuleError("retour-sans-ps", "Ce retour n'a été envoyé à aucun PS : décidez d'abord de sa retenue.")
    address = checked_address(asked.adresse.strip()) if asked.adresse is not None else None
    call.begin(_looked(one))
    done = redeliver(call.workshop, [one], call.identity.actor, address)
    return SentAgain(id=one.id, issue=outcome_of(done))


def return_document(one: Return, trace: str, progress: str, register: Snapshot) -> ReturnDocument:
    """What is told of a return; `progress` is where it stands (`returns.progress`)."""
    return ReturnDocument(
        id=one.id,
        suivi=trace,
        genre=one.kind,
        recu=one.received_at,
        assureur=label_of(register, one.insurer_id),
        ps=number_of(register, one.practitioner_id),
        reference=one.reference,
        reconnu_par=one.evidence,
        etat=ReturnState(one.state),
        etat_en_clair=words.word(words.RETURN, progress),
        envoi=one.consignment_id,
        taille=one.size,
        sha256=one.sha256,
    )


def return_detail(one: Return, answers: list[LotAnswer], trace: str, progress: str, register: Snapshot) -> ReturnDetail:
    """A return with what it says."""
    return ReturnDetail(
        **dict(return_document(one, trace, progress, register)),
        lots=[
            LotAnswerDocument(lot_id=answer.lot_id, issue=answer.outcome, code=answer.code, libelle=answer.label)
            for answer in answers
        ],
    )


def _looked(one: Return) -> Looked:
    return Looked(
        Look.CALL,
        message_id=one.message_id,
        return_id=one.id,
        practitioner_id=one.practitioner_id,
        insurer_id=one.insurer_id,
    )
