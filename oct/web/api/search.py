"""Search by any identifier: what it leads to (J1). What leads nowhere is not written down (J4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from oct.domain.identifiers import Kind
from oct.steps.journal.reading import Look, Looked, search_told
from oct.store.browse.search import Found
from oct.store.browse.search import search as look_up
from oct.store.registry import Snapshot
from oct.web.api.calling import Reading, operation
from oct.web.api.fields import Document, told
from oct.web.api.insurers import InsurerDocument, insurer_document
from oct.web.api.lots import InvoiceDocument, LotDocument, invoice_document, lot_document
from oct.web.api.messages import MessageDocument, message_document
from oct.web.api.practitioners import PractitionerDocument, practitioner_document

router = APIRouter(prefix="/recherche", tags=["recherche"])


class FoundInvoice(InvoiceDocument):
    """Une facture trouvée, avec son lot."""

    lot: LotDocument


class FoundDocument(Document):
    """Ce à quoi un identifiant mène, cinquante de chaque genre au plus."""

    sens: list[Kind] = told("Ce que le texte peut nommer, le plus probable d'abord ; vide quand il ne nomme rien.",
                            ["facture"])  # fmt: skip
    messages: list[MessageDocument] = Field(description="Le plus récent d'abord.")
    lots: list[LotDocument] = Field(description="De la date la plus récente à la plus ancienne.")
    factures: list[FoundInvoice] = Field(description="Par numéro de praticien.")
    praticiens: list[PractitionerDocument] = Field(description="Comptes.")
    assureurs: list[InsurerDocument] = Field(description="Assureurs.")
    autres: bool = told("S'il y en a d'autres : précisez par `PS/lot/date` ou `PS/facture`.", False)


class Asked(Document):
    """L'identifiant cherché."""

    q: str = told(
        "Numéro de suivi, compostage, Message-ID, adresse, fichier, lot (`PS/lot/date`), facture (`PS/facture`), "
        "praticien, AMO ou AMC.",
        "991234567/001",
        min_length=1,
    )


@router.get(
    "",
    **operation(
        "chercher",
        "Ce à quoi un identifiant mène, quel qu'il soit.",
        "Exact : ni joker ni morceau. Un texte qui ne nomme rien donne des listes vides.",
    ),
)
def search(call: Reading, asked: Annotated[Asked, Query()]) -> FoundDocument:
    """What a text leads to."""
    with call.look() as (conn, register):
        found = look_up(conn, asked.q)
    told_of = search_told(asked.q, found, call.workshop.pseudonyms)
    return call.answer(_found(found, register), Looked(Look.SEARCH, data=told_of))


def _found(found: Found, register: Snapshot) -> FoundDocument:
    known = register.directory.insurers
    return FoundDocument(
        sens=[meaning.kind for meaning in found.meanings],
        messages=[message_document(one, register) for one in found.messages],
        lots=[lot_document(one.of, one.trace, register) for one in found.lots],
        factures=[
            FoundInvoice(**dict(invoice_document(one.of[0])), lot=lot_document(one.of[1], one.trace, register))
            for one in found.invoices
        ],
        praticiens=[practitioner_document(register.by_id[one]) for one in found.practitioners if one in register.by_id],
        assureurs=[insurer_document(known[one]) for one in found.insurers if one in known],
        autres=found.more,
    )
