"""What waits for a person, and the four decisions on it (K2): release, send to an insurer or a practitioner, refuse.

The steps decide whether it can be done; what cannot be done now is a 422 with the reason, what was decided already a
409, and the hold stays as it was.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from oct.domain import words
from oct.errors import RuleError
from oct.steps.journal.reading import Look, Looked
from oct.store import holds, lots, messages
from oct.store.browse import listings
from oct.store.holds import Hold, HoldSubject
from oct.store.registry import Snapshot
from oct.web.api.calling import Acting, Call, Reading, operation
from oct.web.api.fields import (
    Document,
    Filters,
    Given,
    Instant,
    Label,
    Line,
    Listing,
    RowId,
    Trace,
    label_of,
    listing,
    told,
)  # fmt: skip
from oct.web.api.lots import LotDocument, lot_document
from oct.web.pages.holds import carry_out, decision_of
from oct.web.pages.reader import filters, found, listed
from oct.web.refusals import ConflictError

router = APIRouter(prefix="/retenues", tags=["retenues"])

_LATE = frozenset({"deja-decide", "retenue-changee"})
"""What the steps say when somebody else was faster."""
_ACTING = " Demande le droit d'agir. 409 quand la retenue est déjà décidée, 422 quand cela ne se peut pas."


class HoldDocument(Document):
    """Une retenue."""

    id: RowId
    suivi: Trace
    depuis: Instant
    objet: HoldSubject = told("Ce qui attend.", "lot")
    objet_en_clair: str = told("Le même, en français.", "lots")
    code: str = told("Motif, pour les programmes.", "caisse-inconnue")
    motif: str = told("Motif, en une phrase.", "Caisse 01 999 inconnue.")
    assureur: Label
    envoi: int | None = told("Numéro de l'envoi qui attend ; nul pour autre chose.", None)
    retour: int | None = told("Numéro du retour qui attend ; nul pour autre chose.", None)
    decision: str = told("Ce qui fut décidé ; vide tant que rien ne l'est.", "")
    close: Instant | None = Field(description="Quand ce fut décidé ; nul avant.")


class HoldDetail(HoldDocument):
    """Une retenue, avec les lots qui attendent."""

    lots: list[LotDocument] = Field(description="Ceux qui attendent ici, ou dans l'envoi retenu.")


class HoldFilters(Filters):
    """Celles qui attendent, ou celles qui sont décidées."""

    closes: bool = Field(False, description="Celles qui sont décidées, plutôt que celles qui attendent.")


class ToInsurer(Document):
    """À quel assureur envoyer."""

    assureur: Line = told("Code, adresse ou numéro interne d'un seul assureur.", "01/422/999", max_length=300)


class ToPractitioner(Document):
    """À quel praticien envoyer."""

    ps: Line = told("Numéro du praticien.", "991234567", max_length=20)


class Reason(Document):
    """Pourquoi refuser."""

    raison: Line = told(
        "Dite au praticien telle quelle : ni NIR, ni nom.",
        "Caisse inconnue : voir votre logiciel.",
        min_length=5,
        max_length=500,
    )


@router.get("", **operation("lister_retenues", "Ce qui attend une décision, le plus ancien d'abord."))
def list_all(call: Reading, asked: Annotated[HoldFilters, Query()]) -> Listing[HoldDocument]:
    """One page."""
    with call.look() as (conn, register):
        page = listed(lambda cursor: listings.holds_page(conn, cursor, closed=asked.closes), asked.suite or "")
    looked = Looked(Look.CALL, data=filters(closes="oui" if asked.closes else "", suite=asked.suite))
    return call.answer(listing([hold_document(one.of, one.trace, register) for one in page.rows], page), looked)


@router.get("/{ident}", **operation("lire_retenue", "Une retenue, et les lots qui attendent."))
def read(call: Reading, ident: Given) -> HoldDetail:
    """One of them."""
    document, hold = _detail(call, ident)
    return call.answer(document, _looked(hold))


@router.post(
    "/{ident}/liberation",
    **operation("liberer_retenue", "Laisse partir ce qui attend.", f"Si ce qui l'empêchait est réglé.{_ACTING}"),
    responses={409: {}},
)
def release(call: Acting, ident: Given) -> HoldDetail:
    """Releases it."""
    return _decide(call, ident, "liberer")


@router.post(
    "/{ident}/adressage",
    **operation("adresser_retenue", "Envoie ce qui attend à un assureur.", f"À celui qui est désigné.{_ACTING}"),
    responses={409: {}},
)
def route(call: Acting, ident: Given, asked: ToInsurer) -> HoldDetail:
    """Sends it to an insurer."""
    return _decide(call, ident, "adresser", insurer=asked.assureur)


@router.post(
    "/{ident}/attribution",
    **operation("attribuer_retenue", "Envoie un retour retenu à un praticien.", f"À celui qui est désigné.{_ACTING}"),
    responses={409: {}},
)
def attribute(call: Acting, ident: Given, asked: ToPractitioner) -> HoldDetail:
    """Sends a return to a practitioner."""
    return _decide(call, ident, "attribuer", number=asked.ps)


@router.post(
    "/{ident}/refus",
    **operation("refuser_retenue", "Refuse ce qui attend.", f"Il ne partira jamais ; le praticien l'apprend.{_ACTING}"),
    responses={409: {}},
)
def refuse(call: Acting, ident: Given, asked: Reason) -> HoldDetail:
    """Refuses it."""
    return _decide(call, ident, "refuser", reason=asked.raison)


def _decide(call: Call, ident: int, deed: str, *, insurer: str = "", number: str = "", reason: str = "") -> HoldDetail:
    with call.look() as (conn, _):
        hold = found(holds.by_id(conn, ident))
    if hold.closed_at is not None:
        raise ConflictError
    decision = decision_of(call, deed, insurer.strip(), number.strip(), reason.strip())
    call.begin(_looked(hold))
    try:
        carry_out(call.workshop, ident, decision, call.identity.actor)
    except RuleError as error:
        if error.code in _LATE:
            raise ConflictError from error
        raise
    return _detail(call, ident)[0]


def _detail(call: Call, ident: int) -> tuple[HoldDetail, Hold]:
    with call.look() as (conn, register):
        hold = found(holds.by_id(conn, ident))
        waiting = lots.of_hold(conn, hold.id, hold.consignment_id)
        traces = messages.traces(conn, {hold.message_id, *(lot.message_id for lot in waiting)})
    document = hold_document(hold, traces[hold.message_id], register)
    told_lots = [lot_document(lot, traces[lot.message_id], register) for lot in waiting]
    return HoldDetail(**dict(document), lots=told_lots), hold


def hold_document(hold: Hold, trace: str, register: Snapshot) -> HoldDocument:
    """What is told of a hold."""
    return HoldDocument(
        id=hold.id,
        suivi=trace,
        depuis=hold.opened_at,
        objet=HoldSubject(hold.subject),
        objet_en_clair=words.word(words.SUBJECT, hold.subject),
        code=hold.code,
        motif=hold.sentence,
        assureur=label_of(register, hold.insurer_id),
        envoi=hold.consignment_id,
        retour=hold.return_id,
        decision=hold.decision,
        close=hold.closed_at,
    )


def _looked(hold: Hold) -> Looked:
    return Looked(Look.CALL, message_id=hold.message_id, consignment_id=hold.consignment_id, return_id=hold.return_id)
