"""What leaves (remises): one message to one insurer or practitioner, its tries and what the other side said."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from oct.domain import words
from oct.domain.journey import ConsignmentState
from oct.steps.journal.reading import Look, Looked
from oct.store import consignments, lots, messages
from oct.store.browse import listings
from oct.store.consignments import Consignment
from oct.store.registry import Snapshot
from oct.web.api.calling import Reading, operation
from oct.web.api.fields import (
    Digest,
    Document,
    Filters,
    Given,
    Instant,
    Label,
    Listing,
    Octets,
    RowId,
    Trace,
    label_of,
    listing,
    number_of,
    told,
)  # fmt: skip
from oct.web.api.lots import LotDocument, lot_document
from oct.web.pages.reader import filters, found, id_of, listed

router = APIRouter(prefix="/envois", tags=["envois"])


class ConsignmentDocument(Document):
    """Un envoi."""

    id: RowId
    suivi: Trace
    genre: str = told("Ce qu'il porte : facture, groupe, art, texte, retour, tete.", "facture")
    genre_en_clair: str = told("Le même, en français.", "factures")
    assureur: Label
    ps: str = told("Numéro du praticien à qui il va ; vide pour un autre.", "")
    destinataire: str = told("Adresse à laquelle il va.", "01422@422.01.rss.test")
    fichier: str = told("Identifiant du fichier ; vide quand ce n'en est pas un.", "F12345")
    compostage: str = told("Compostage, 19 chiffres ; vide sans compostage.", "2611220815001250042")
    message_id: str = told("Message-ID de l'envoi.", "<26KP3X.42@oct.test>")
    taille: Octets
    cree: Instant
    etat: ConsignmentState = told("État.", "delivered")
    etat_en_clair: str = told("L'état, en français.", "remis")
    remis: Instant | None = Field(description="Quand le destinataire l'a accepté ; nul avant.")
    prochain_essai: Instant | None = Field(description="Quand il sera tenté ; nul quand il n'attend pas.")
    essais: int = told("Essais commencés.", 1)
    remplace_par: int | None = told("Numéro de l'envoi où ses lots sont partis ; nul sans remplacement.", None)
    reponse: str = told("Dernière réponse du serveur d'en face.", "250 2.0.0 Ok")
    sha256: Digest


class ConsignmentDetail(ConsignmentDocument):
    """Un envoi, avec les lots qu'il porte."""

    lots: list[LotDocument] = Field(description="Dans l'ordre d'arrivée.")


class ConsignmentFilters(Filters):
    """Ceux d'un praticien, ou pour un assureur."""

    ps: str | None = Field(None, description="Numéro d'un praticien.", max_length=20, examples=["991234567"])
    assureur: int | None = Field(None, description="Numéro interne d'un assureur.", ge=1, lt=2**63, examples=[3])


@router.get("", **operation("lister_envois", "Les envois, du plus récent au plus ancien."))
def list_all(call: Reading, asked: Annotated[ConsignmentFilters, Query()]) -> Listing[ConsignmentDocument]:
    """One page."""
    with call.look() as (conn, register):
        account = found(register.by_number.get(asked.ps)) if asked.ps is not None else None
        insurer = found(register.directory.insurers.get(asked.assureur)) if asked.assureur is not None else None
        page = listed(
            lambda cursor: listings.consignments_page(
                conn, cursor, practitioner_id=id_of(account), insurer_id=id_of(insurer)
            ),
            asked.suite or "",
        )
    return call.answer(
        listing([consignment_document(one.of, one.trace, register) for one in page.rows], page),
        Looked(
            Look.CALL, practitioner_id=id_of(account), insurer_id=id_of(insurer), data=filters(suite=asked.suite)
        ),
    )  # fmt: skip


@router.get("/{ident}", **operation("lire_envoi", "Un envoi et les lots qu'il porte."))
def read(call: Reading, ident: Given) -> ConsignmentDetail:
    """One of them."""
    with call.look() as (conn, register):
        one = found(consignments.by_id(conn, ident))
        trace = found(messages.by_id(conn, one.message_id)).trace
        carried = lots.of_consignment(conn, one.id)
        traces = messages.traces(conn, {lot.message_id for lot in carried})
    document = consignment_document(one, trace, register)
    told_lots = [lot_document(lot, traces[lot.message_id], register) for lot in carried]
    return call.answer(
        ConsignmentDetail(**dict(document), lots=told_lots),
        Looked(
            Look.CALL,
            message_id=one.message_id,
            consignment_id=one.id,
            practitioner_id=one.practitioner_id,
            insurer_id=one.insurer_id,
        ),
    )


def consignment_document(one: Consignment, trace: str, register: Snapshot) -> ConsignmentDocument:
    """What is told of a consignment."""
    return ConsignmentDocument(
        id=one.id,
        suivi=trace,
        genre=one.kind,
        genre_en_clair=words.word(words.KIND, one.kind),
        assureur=label_of(register, one.insurer_id),
        ps=number_of(register, one.practitioner_id),
        destinataire=one.recipient,
        fichier=one.file_id,
        compostage=one.compostage,
        message_id=one.message_uid,
        taille=one.size,
        cree=one.created_at,
        etat=ConsignmentState(one.state),
        etat_en_clair=words.word(words.CONSIGNMENT, one.state),
        remis=one.delivered_at,
        prochain_essai=one.due_at,
        essais=one.attempts,
        remplace_par=one.replaced_by,
        reponse=one.reply,
        sha256=one.sha256,
    )
