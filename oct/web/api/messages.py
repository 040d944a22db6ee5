"""Messages: the list, the whole story of one (J1), and its bytes, by a right of their own and with a reason."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from oct.clock import midnight
from oct.domain import words
from oct.domain.journey import MessageState
from oct.errors import RuleError
from oct.steps.journal.reading import Look, Looked
from oct.store import messages
from oct.store.browse import listings
from oct.store.files import StoredFile
from oct.store.messages import Message
from oct.store.registry import Snapshot
from oct.store.story import Story, tell
from oct.web.api.calling import Reading, ReadingPayloads, operation
from oct.web.api.consignments import ConsignmentDocument, consignment_document
from oct.web.api.fields import (
    Day,
    Digest,
    Document,
    Filters,
    Instant,
    Label,
    Line,
    Listing,
    Octets,
    Trace,
    label_of,
    listing,
    number_of,
    told,
)  # fmt: skip
from oct.web.api.holds import HoldDocument, hold_document
from oct.web.api.journal import EventDocument, event_document
from oct.web.api.lots import LotDocument, lot_document
from oct.web.api.returns import ReturnDetail, return_detail
from oct.web.pages.messages import message_named
from oct.web.pages.payloads import OPENED, content_of, looked_into, reason_of
from oct.web.pages.reader import filters, found, id_of, listed

router = APIRouter(prefix="/messages", tags=["messages"])


class MessageDocument(Document):
    """Un message reçu."""

    suivi: Trace
    recu: Instant
    origine: str = told("D'où il vient : ps, assureur, emetteur, avis, journal ; inconnu quand il est refusé.", "ps")
    ps: str = told("Numéro du praticien qui l'a envoyé ; vide pour un autre.", "991234567")
    assureur: Label
    de: str = told("Adresse de l'expéditeur (From).", "cabinet@exemple.test")
    pair: str = told("Adresse IP du serveur qui l'a remis.", "192.0.2.10")
    objet: str = told("Objet (Subject).", "FSE/1.0/991234567")
    message_id: str = told("Message-ID.", "<1@exemple.test>")
    compostage: str = told("Compostage, 19 chiffres ; vide sans compostage.", "2611220815001250042")
    taille: Octets
    sha256: Digest
    etat: MessageState = told("État.", "processed")
    etat_en_clair: str = told("L'état, en français.", "traité")
    code: str = told("Ce qui explique l'état ; vide quand il s'explique seul.", "")
    traite: Instant | None = Field(description="Quand son traitement a pris fin ; nul avant.")


class FileDocument(Document):
    """Un fichier trouvé dans un message : ce que disent son en-tête et sa fin."""

    fichier: str = told("Identifiant du fichier.", "F12345")
    forme: str = told("`unique`, `source` (découpé à la source), ou le genre d'un flux non lu.", "unique")
    emetteur: str = told("Numéro de l'émetteur.", "00000991234567")
    destinataire: str = told("Type et numéro du destinataire.", "OT 00000552100554")
    lots: int = told("Lots du fichier.", 3)
    factures: int = told("Factures du fichier.", 6)
    sha256: Digest


class StoryLot(LotDocument):
    """Un lot, avec les numéros de ses factures."""

    factures: list[str] = told("Numéros des factures, dans l'ordre.", ["000000001"])


class StoryDocument(Document):
    """Toute l'histoire d'un message : ce qu'il portait, ce qui en est parti, ce qui y répond."""

    message: MessageDocument
    fichiers: list[FileDocument] = Field(description="Les fichiers qu'il portait.")
    lots: list[StoryLot] = Field(description="Les lots qu'il portait.")
    envois: list[ConsignmentDocument] = Field(description="Ce qui est parti.")
    retenues: list[HoldDocument] = Field(description="Ce qui attendit une personne.")
    retours: list[ReturnDetail] = Field(description="Les retours qu'il apporte, et ceux qui répondent à ses lots.")
    evenements: list[EventDocument] = Field(description="Ce qui arriva, dans l'ordre ; les lectures n'y sont pas.")


class MessageFilters(Filters):
    """Ceux d'un praticien, jusqu'à la fin d'un jour."""

    ps: str | None = Field(None, description="Numéro d'un praticien.", max_length=20, examples=["991234567"])
    jour: Day | None = Field(None, description="Reçus jusqu'à la fin de ce jour.", examples=["2026-11-22"])


class WhyRead(Document):
    """Pourquoi lire un contenu, et lequel."""

    raison: Line = told("Écrite dans la trace.", "Contrôle demandé par la caisse.", min_length=10, max_length=300)
    objet: Literal["recu", "fichier"] = Field(
        "recu", description="Le message tel que reçu, ou le fichier qu'il portait, déchiffré.", examples=["recu"]
    )


@router.get("", **operation("lister_messages", "Les messages reçus, du plus récent au plus ancien."))
def list_all(call: Reading, asked: Annotated[MessageFilters, Query()]) -> Listing[MessageDocument]:
    """One page."""
    until = midnight(asked.jour, 1) if asked.jour is not None else None
    if asked.jour is not None and until is None:
        raise RuleError("date", "Date attendue : AAAA-MM-JJ.")
    with call.look() as (conn, register):
        account = found(register.by_number.get(asked.ps)) if asked.ps is not None else None
        page = listed(
            lambda cursor: listings.messages_page(conn, cursor, practitioner_id=id_of(account), until=until),
            asked.suite or "",
        )
    return call.answer(
        listing([message_document(one, register) for one in page.rows], page),
        Looked(Look.CALL, practitioner_id=id_of(account), data=filters(jour=asked.jour, suite=asked.suite)),
    )


@router.get("/{suivi}", **operation("lire_message", "Toute l'histoire d'un message, dans les deux sens."))
def read(call: Reading, suivi: Trace) -> StoryDocument:
    """The story of one message."""
    with call.look() as (conn, register):
        message = message_named(conn, suivi)
        story = found(tell(conn, message.id))
        others = {one.message_id for one in story.consignments} | {one.message_id for one, _ in story.returns}
        traces = messages.traces(conn, others)
    return call.answer(
        _story(story, traces, register),
        Looked(Look.CALL, message_id=message.id, practitioner_id=message.practitioner_id),
    )


@router.post(
    "/{suivi}/contenu",
    **operation(
        "lire_contenu",
        "Les octets d'un message.",
        "Demande le droit de lire les contenus, que le jeton et le compte doivent avoir tous deux, et une raison.",
    ),
    response_class=Response,
    responses={200: {"description": "Les octets.", "content": {"application/octet-stream": {
        "schema": {"type": "string", "format": "binary"},
    }}}},
)  # fmt: skip
def read_payload(call: ReadingPayloads, suivi: Trace, asked: WhyRead) -> Response:
    """The bytes, once the reason is in the trace."""
    why = reason_of(asked.raison)
    message, content = content_of(call, suivi, opened=asked.objet == OPENED)
    call.note(looked_into(message, raison=why, objet=asked.objet))
    name = f"{message.trace}-{asked.objet}.bin"
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def message_document(message: Message, register: Snapshot) -> MessageDocument:
    """What is told of a message."""
    return MessageDocument(
        suivi=message.trace,
        recu=message.received_at,
        origine=message.origin,
        ps=number_of(register, message.practitioner_id),
        assureur=label_of(register, message.insurer_id),
        de=message.header_from,
        pair=message.peer,
        objet=message.subject,
        message_id=message.message_id,
        compostage=message.compostage,
        taille=message.size,
        sha256=message.sha256,
        etat=MessageState(message.state),
        etat_en_clair=words.word(words.MESSAGE, message.state),
        code=message.code,
        traite=message.ended_at,
    )


def _story(story: Story, traces: dict[int, str], register: Snapshot) -> StoryDocument:
    trace = story.message.trace
    return StoryDocument(
        message=message_document(story.message, register),
        fichiers=[_file(one) for one in story.files],
        lots=[
            StoryLot(
                **dict(lot_document(lot, trace, register)),
                factures=[invoice.number for invoice in story.invoices[lot.id]],
            )
            for lot in story.lots
        ],
        envois=[consignment_document(one, traces[one.message_id], register) for one in story.consignments],
        retenues=[hold_document(hold, trace, register) for hold in story.holds],
        retours=[
            return_detail(one, answers, traces[one.message_id], story.progress[one.id], register)
            for one, answers in story.returns
        ],
        evenements=[event_document(event) for event in story.events],
    )


def _file(one: StoredFile) -> FileDocument:
    return FileDocument(
        fichier=one.file_id,
        forme=one.shape,
        emetteur=one.sender_number,
        destinataire=f"{one.recipient_type} {one.recipient_number}",
        lots=one.lot_count,
        factures=one.invoice_count,
        sha256=one.sha256,
    )
