"""Practitioners: their accounts, what lies in their mailboxes, their certificates."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from oct.domain.model import Practitioner, ReturnMode
from oct.steps.journal.reading import Look, Looked
from oct.store import certificates, mailboxes
from oct.store.browse import listings
from oct.store.browse.listings import Account
from oct.store.mailboxes import MailboxCounts
from oct.web.api.calling import Reading, operation
from oct.web.api.certificates import CertificateDocument, certificate_document
from oct.web.api.fields import Document, Filters, Listing, Number, Octets, RowId, listing, told
from oct.web.pages.reader import filters, found, listed

router = APIRouter(prefix="/praticiens", tags=["praticiens"])


class PractitionerDocument(Document):
    """Un praticien."""

    id: RowId
    numero: Number
    type: str = told("Type du numéro.", "FI")
    nom: str = told("Nom du praticien ou du cabinet.", "Cabinet inventé")
    adresse: str = told("Sa boîte.", "cabinet@exemple.test")
    retours: ReturnMode = told("Où il prend ses retours : smtp (sa boîte), boite (hébergée ici).", "smtp")
    etat: Literal["ouvert", "fermé"] = told("Si le compte sert.", "ouvert")
    detourne: bool = told("Si sa boîte est en panne, et ses retours détournés vers la boîte hébergée.", False)


class MailboxDocument(Document):
    """Ce que tient la boîte hébergée d'un praticien."""

    visibles: int = told("Messages à relever ou relevés.", 4)
    taille: Octets
    a_relever: int = told("Ceux qui ne furent jamais relevés.", 1)
    caches: int = told("Ceux qu'il a effacés, gardés encore.", 2)


class PractitionerDetail(PractitionerDocument):
    """Un praticien, avec ses autres noms, sa boîte, ses certificats."""

    autres_numeros: list[str] = told("Ses autres numéros.", ["991234568"])
    adresses_d_envoi: list[str] = told("Les adresses d'où il écrit.", ["cabinet@exemple.test"])
    boite: MailboxDocument
    certificats: list[CertificateDocument] = Field(description="Ceux qui servent, le dernier à échoir d'abord.")


@router.get("", **operation("lister_praticiens", "Les praticiens, du dernier venu au premier."))
def list_all(call: Reading, asked: Annotated[Filters, Query()]) -> Listing[PractitionerDocument]:
    """One page."""
    with call.look() as (conn, _):
        page = listed(lambda cursor: listings.accounts_page(conn, cursor), asked.suite or "")
    return call.answer(
        listing([_listed(one) for one in page.rows], page), Looked(Look.CALL, data=filters(suite=asked.suite))
    )


@router.get("/{numero}", **operation("lire_praticien", "Un praticien, par l'un quelconque de ses numéros."))
def read(call: Reading, numero: Number) -> PractitionerDetail:
    """One of them."""
    with call.look() as (conn, register):
        account = found(register.by_number.get(numero))
        held = mailboxes.counts(conn, account.id)
        own = [one for one in certificates.of_address(conn, account.address) if one.retired_at is None]
    document = PractitionerDetail(
        **dict(practitioner_document(account)),
        autres_numeros=sorted(account.numbers - {account.number}),
        adresses_d_envoi=sorted(account.addresses),
        boite=_mailbox(held),
        certificats=[certificate_document(one) for one in own],
    )
    return call.answer(document, Looked(Look.CALL, practitioner_id=account.id))


def practitioner_document(account: Practitioner) -> PractitionerDocument:
    """What is told of an account of the register."""
    return PractitionerDocument(
        id=account.id,
        numero=account.number,
        type=account.type,
        nom=account.name,
        adresse=account.address,
        retours=account.return_mode,
        etat="fermé" if account.closed else "ouvert",
        detourne=account.diverted,
    )


def _listed(account: Account) -> PractitionerDocument:
    return PractitionerDocument(
        id=account.id,
        numero=account.number,
        type=account.type,
        nom=account.name,
        adresse=account.address,
        retours=ReturnMode(account.return_mode),
        etat="fermé" if account.closed_at is not None else "ouvert",
        detourne=account.diverted_at is not None,
    )


def _mailbox(held: MailboxCounts) -> MailboxDocument:
    return MailboxDocument(visibles=held.visible, taille=held.octets, a_relever=held.unfetched, caches=held.hidden)
