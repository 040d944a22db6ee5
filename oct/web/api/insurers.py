"""Insurers: the directory, how one is written to, what waits for its answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from oct.domain.model import Insurer, InsurerKind
from oct.steps.journal.reading import Look, Looked
from oct.store import certificates
from oct.store.browse import listings
from oct.store.browse.listings import Destination
from oct.store.overview import unfinished_of
from oct.web.api.calling import Reading, operation
from oct.web.api.certificates import CertificateDocument, certificate_document
from oct.web.api.fields import Document, Filters, Given, Listing, RowId, listing, told
from oct.web.pages.reader import filters, found, listed

router = APIRouter(prefix="/assureurs", tags=["assureurs"])


class InsurerDocument(Document):
    """Un assureur."""

    id: RowId
    genre: InsurerKind = told("AMO ou AMC.", "AMO")
    code: str = told("Régime/organisme/centre d'une AMO, numéro d'une AMC.", "01/422/999")
    libelle: str = told("Libellé.", "CPAM inventée")
    adresse: str = told("Adresse à laquelle on lui écrit.", "01422@422.01.rss.test")
    actif: bool = told("Si on lui envoie.", True)


class InsurerDetail(InsurerDocument):
    """Un assureur, comment on lui écrit, ce qui attend sa réponse."""

    type_destinataire: str = told("Type du destinataire des fichiers.", "OT")
    numero_destinataire: str = told("Numéro du destinataire des fichiers.", "00000552100554")
    routage: str = told("Code de routage d'une AMC ; vide pour une AMO.", "")
    hote: str = told("Hôte d'une AMC ; vide pour une AMO.", "")
    chiffrement: str = told("Chiffrement du contenu.", "aes-256-cbc")
    compression: str = told("Compression du contenu.", "gzip")
    forme: str = told("Forme du clair.", "file")
    lots_en_attente: dict[str, int] = told("Lots qui attendent quelqu'un, par état.", {"unanswered": 2})
    certificats: list[CertificateDocument] = Field(description="Ceux qui servent, le dernier à échoir d'abord.")


@router.get("", **operation("lister_assureurs", "Les assureurs, dans l'ordre de l'annuaire."))
def list_all(call: Reading, asked: Annotated[Filters, Query()]) -> Listing[InsurerDocument]:
    """One page."""
    with call.look() as (conn, _):
        page = listed(lambda cursor: listings.insurers_page(conn, cursor), asked.suite or "")
    return call.answer(
        listing([insurer_document(one) for one in page.rows], page), Looked(Look.CALL, data=filters(suite=asked.suite))
    )


@router.get("/{ident}", **operation("lire_assureur", "Un assureur, comment on lui écrit, ce qui attend sa réponse."))
def read(call: Reading, ident: Given) -> InsurerDetail:
    """One of them."""
    with call.look() as (conn, register):
        insurer = found(register.directory.insurers.get(ident))
        waiting = unfinished_of(conn, insurer_id=insurer.id)
        own = [one for one in certificates.of_address(conn, insurer.address) if one.retired_at is None]
    document = InsurerDetail(
        **dict(insurer_document(insurer)),
        type_destinataire=insurer.recipient_type,
        numero_destinataire=insurer.recipient_number,
        routage=insurer.route,
        hote=insurer.host,
        chiffrement=insurer.cipher,
        compression=insurer.compression,
        forme=insurer.plaintext_form,
        lots_en_attente=waiting,
        certificats=[certificate_document(one) for one in own],
    )
    return call.answer(document, Looked(Look.CALL, insurer_id=insurer.id))


def insurer_document(one: Insurer | Destination) -> InsurerDocument:
    """What is told of an insurer."""
    return InsurerDocument(
        id=one.id,
        genre=InsurerKind(one.kind),
        code=one.number or f"{one.regime}/{one.organism}/{one.centre}",
        libelle=one.label,
        adresse=one.address,
        actif=one.enabled,
    )
