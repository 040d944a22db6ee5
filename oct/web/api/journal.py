"""The log itself: sealed events with their proofs, signed heads (J2), and who read what (J3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from oct.domain.event_words import kind_said, outcome_said
from oct.steps.journal import evidence
from oct.steps.journal.reading import Look, Looked
from oct.store.browse import log
from oct.store.browse.log import LoggedEvent
from oct.store.events import Event
from oct.trace.verify import TreeHead
from oct.web.api.calling import Administering, Reading, operation
from oct.web.api.fields import Digest, Document, Filters, Instant, Listing, Signature, listing, told
from oct.web.pages.reader import filters, found, listed

router = APIRouter(tags=["journal"])

Place = Annotated[int, Path(ge=0, lt=2**63, description="Rang dans le journal, à partir de 0.", examples=[0])]
Size = Annotated[int, Path(ge=1, lt=2**63, description="Taille de la tête.", examples=[1])]
_PATH = "Les empreintes qui mènent à la racine (RFC 9162)."


class EventDocument(Document):
    """Ce qui arriva."""

    instant: Instant
    quoi: str = told("Genre de l'événement.", "recu")
    issue: str = told("Issue.", "nouveau")
    en_clair: str = told("Les deux, en français.", "message reçu : accepté")
    acteur: str = told("Identifiant de la personne qui l'a fait ; vide quand c'est le programme.", "")
    donnees: Mapping[str, Any] = told("Identifiants, empreintes, tailles ; jamais un contenu, un NIR ni un nom.",
                                      {"taille": 4821})  # fmt: skip


class LoggedDocument(Document):
    """Un événement à sa place dans le journal."""

    rang: int | None = told("Rang dans le journal, à partir de 0 ; nul tant que l'événement n'est pas scellé.", 0)
    suivi: str = told("Numéro de suivi du message dont il s'agit ; vide quand ce n'en est pas un.", "26KP3X-7Q2M9V4T")
    evenement: EventDocument | None = Field(description="Nul quand quelqu'un l'a ôté de la base.")


class HeadDocument(Document):
    """Une tête signée : ce qu'était le journal à un instant."""

    taille: int = told("Événements du journal.", 1)
    instant: Instant
    racine: Digest
    cle: str = told("Identifiant de la clé qui signe.", "1f0c9a2be4d35c77")
    signature: Signature


class InclusionDocument(Document):
    """La preuve qu'un événement est sous une tête."""

    ligne: str = told("La ligne que couvre l'arbre : SHA-256 d'un octet nul suivi d'elle donne la feuille.", "{…}")
    feuille: Digest
    chemin: list[Digest] = Field(description=_PATH)
    tete: HeadDocument
    verifiee: bool = told("Si la preuve tient, vérifiée ici ; refaites-la avec la clé publique.", True)


class ProvenDocument(LoggedDocument):
    """Un événement et sa preuve."""

    preuve: InclusionDocument | None = Field(description="Nulle tant qu'aucune tête ne le couvre.")


class ConsistencyDocument(Document):
    """La preuve que le journal de la dernière tête commence par celui d'une tête d'avant."""

    avant: HeadDocument
    apres: HeadDocument
    chemin: list[Digest] = Field(description=_PATH)
    verifiee: bool = told("Si la preuve tient, vérifiée ici ; refaites-la avec la clé publique.", True)


@router.get("/journal", **operation("lister_evenements", "Les événements scellés, du dernier au premier."))
def list_all(call: Reading, asked: Annotated[Filters, Query()]) -> Listing[LoggedDocument]:
    """One page."""
    with call.look() as (conn, _):
        page = listed(lambda cursor: log.sealed_page(conn, cursor), asked.suite or "")
    return call.answer(
        listing([_logged(one) for one in page.rows], page), Looked(Look.CALL, data=filters(suite=asked.suite))
    )


@router.get("/journal/tetes", **operation("lister_tetes", "Les têtes signées, de la dernière à la première."))
def list_heads(call: Reading, asked: Annotated[Filters, Query()]) -> Listing[HeadDocument]:
    """One page of heads."""
    with call.look() as (conn, _):
        page = listed(lambda cursor: log.heads_page(conn, cursor), asked.suite or "")
    return call.answer(
        listing([_head(one) for one in page.rows], page), Looked(Look.CALL, data=filters(suite=asked.suite))
    )


@router.get(
    "/journal/tetes/{taille}",
    **operation("prouver_tete", "Une tête, et la preuve que la dernière la continue."),
)
def read_head(call: Reading, taille: Size) -> ConsistencyDocument:
    """The proof of consistency."""
    with call.look() as (conn, _):
        proof = found(evidence.consistency(conn, taille))
    return call.answer(
        ConsistencyDocument(
            avant=_head(proof.earlier),
            apres=_head(proof.later),
            chemin=list(proof.path),
            verifiee=proof.holds,
        )
    )


@router.get("/journal/{rang}", **operation("prouver_evenement", "Un événement, et la preuve qu'il est au journal."))
def read(call: Reading, rang: Place) -> ProvenDocument:
    """The event of a place, and its proof."""
    with call.look() as (conn, _):
        logged = found(log.at_place(conn, rang))
        proof = evidence.inclusion(conn, rang)
    return call.answer(ProvenDocument(**dict(_logged(logged)), preuve=None if proof is None else _inclusion(proof)))


@router.get(
    "/acces",
    **operation("lister_acces", "Qui a lu quoi, du dernier au premier.", "Demande le droit d'administrer."),
)
def list_readings(call: Administering, asked: Annotated[Filters, Query()]) -> Listing[LoggedDocument]:
    """One page of readings."""
    with call.look() as (conn, _):
        page = listed(lambda cursor: log.readings_page(conn, cursor), asked.suite or "")
    return call.answer(
        listing([_logged(one) for one in page.rows], page), Looked(Look.CALL, data=filters(suite=asked.suite))
    )


def event_document(event: Event) -> EventDocument:
    """What is told of an event."""
    return EventDocument(
        instant=event.at,
        quoi=event.kind,
        issue=event.outcome,
        en_clair=f"{kind_said(event.kind)} : {outcome_said(event.kind, event.outcome)}",
        acteur=event.actor,
        donnees=event.data,
    )


def _logged(one: LoggedEvent) -> LoggedDocument:
    event = None if one.event is None else event_document(one.event)
    return LoggedDocument(rang=one.seq, suivi=one.trace, evenement=event)


def _head(one: TreeHead) -> HeadDocument:
    return HeadDocument(taille=one.size, instant=one.at, racine=one.root, cle=one.key, signature=one.signature)


def _inclusion(proof: evidence.Inclusion) -> InclusionDocument:
    return InclusionDocument(
        ligne=proof.line.decode("utf-8", "backslashreplace"),
        feuille=proof.leaf,
        chemin=list(proof.path),
        tete=_head(proof.head),
        verifiee=proof.holds,
    )
