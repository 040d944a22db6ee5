"""Lots and their invoices: amounts, where they went, what was answered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from oct.domain import words
from oct.domain.journey import LotState
from oct.domain.model import LotKind
from oct.steps.journal.reading import Look, Looked
from oct.store import lots, messages, returns
from oct.store.browse import listings
from oct.store.lots import Invoice, Lot
from oct.store.registry import Snapshot
from oct.web.api.calling import Reading, operation
from oct.web.api.fields import (
    Centimes,
    Digest,
    Document,
    Filters,
    Given,
    Instant,
    Label,
    Listing,
    Number,
    Octets,
    RowId,
    Trace,
    label_of,
    listing,
    told,
)  # fmt: skip
from oct.web.pages.reader import filters, found, id_of, listed

router = APIRouter(tags=["lots"])

_PART_STATE = "Ce que la RSP en dit : P payée, R rejetée, D différée ; vide sans réponse."


class LotDocument(Document):
    """Un lot."""

    id: RowId
    suivi: Trace
    lot: str = told("Ce qui le nomme : numéro du praticien, du lot, date AAMMJJ.", "991234567/001/261120")
    genre: LotKind = told("FSE vers une AMO, DRE vers une AMC, AMC pour la part dérivée ici, FLX sans lecture.", "FSE")
    ps: Number
    assureur: Label
    assureur_id: int | None = told("Numéro interne de l'assureur ; nul quand il n'est pas connu.", 3)
    nombre_factures: int = told("Factures du lot.", 12)
    montant_centimes: Centimes
    part_amo_centimes: Centimes
    part_amc_centimes: Centimes
    etat: LotState = told("État.", "paid")
    etat_en_clair: str = told("L'état, en français.", "payé")
    depuis: Instant
    code: str = told("Ce qui explique l'état ; vide quand il s'explique seul.", "")
    envoi: int | None = told("Numéro de l'envoi qui le porte ; nul sans envoi.", 42)
    retenue: int | None = told("Numéro de la retenue où il attend ; nul sans retenue.", None)
    premier_lot: int | None = told("Numéro du lot qu'il répète, ou qui l'a remplacé ; nul sinon.", None)
    taille: Octets
    sha256: Digest


class LotAnswerDocument(Document):
    """Ce qu'un retour dit d'un lot."""

    lot_id: RowId
    issue: str = told("L'état où il le met.", "paid")
    code: str = told("Code de l'assureur.", "")
    libelle: str = told("Libellé de l'assureur.", "Payé")


class LotDetail(LotDocument):
    """Un lot, ses autres envois par le praticien, et ce qui lui répond."""

    autres_envois: list[LotDocument] = Field(description="Le même lot, envoyé d'autres fois, le plus ancien d'abord.")
    retours: list[int] = told("Numéros des retours qui lui répondent, le plus ancien d'abord.", [7])


class InvoiceDocument(Document):
    """Une facture."""

    id: RowId
    numero: str = told("Numéro de la facture, sur 9 caractères.", "000000001")
    ps: Number
    lot_id: RowId
    montant_centimes: Centimes
    part_amo_centimes: Centimes
    part_amc_centimes: Centimes
    contrat_99: bool = told("Si sa part AMC part par un flux dérivé ici.", False)
    etat_amo: str = told(_PART_STATE, "P")
    etat_amc: str = told(_PART_STATE, "")


class InvoiceDetail(InvoiceDocument):
    """Une facture, avec son lot et ce qui lui répond."""

    lot: LotDocument
    retours: list[int] = told("Numéros des retours qui répondent au lot, le plus ancien d'abord.", [7])


class LotFilters(Filters):
    """Dans un état, ou d'un praticien, ou pour un assureur."""

    etat: LotState | None = Field(None, description="Dans cet état, le dernier entré d'abord.", examples=["paid"])
    ps: str | None = Field(None, description="Numéro d'un praticien.", max_length=20, examples=["991234567"])
    assureur: int | None = Field(None, description="Numéro interne d'un assureur.", ge=1, lt=2**63, examples=[3])


@router.get("/lots", **operation("lister_lots", "Les lots, du plus récent au plus ancien."))
def list_all(call: Reading, asked: Annotated[LotFilters, Query()]) -> Listing[LotDocument]:
    """One page."""
    with call.look() as (conn, register):
        account = found(register.by_number.get(asked.ps)) if asked.ps is not None else None
        insurer = found(register.directory.insurers.get(asked.assureur)) if asked.assureur is not None else None
        page = listed(
            lambda cursor: listings.lots_page(
                conn, cursor, state=asked.etat, practitioner_id=id_of(account), insurer_id=id_of(insurer)
            ),
            asked.suite or "",
        )
    return call.answer(
        listing([lot_document(one.of, one.trace, register) for one in page.rows], page),
        Looked(
            Look.CALL,
            practitioner_id=id_of(account),
            insurer_id=id_of(insurer),
            data=filters(etat=asked.etat, suite=asked.suite),
        ),
    )


@router.get("/lots/{ident}", **operation("lire_lot", "Un lot, ses autres envois, ce qui lui répond."))
def read(call: Reading, ident: Given) -> LotDetail:
    """One of them."""
    with call.look() as (conn, register):
        lot = found(next(iter(lots.by_ids(conn, [ident])), None))
        others = [one for one in lots.by_identity(conn, lot.ps_number, lot.number, lot.lot_date) if one.id != lot.id]
        traces = messages.traces(conn, {one.message_id for one in (lot, *others)})
        answers = returns.of_lot(conn, lot.id)
    document = lot_document(lot, traces[lot.message_id], register)
    return call.answer(
        LotDetail(
            **dict(document),
            autres_envois=[lot_document(one, traces[one.message_id], register) for one in others],
            retours=[one.id for one in answers],
        ),
        _looked(lot),
    )


@router.get("/lots/{ident}/factures", **operation("lister_factures", "Les factures d'un lot, dans l'ordre."))
def list_invoices(call: Reading, ident: Given, asked: Annotated[Filters, Query()]) -> Listing[InvoiceDocument]:
    """One page of a lot's invoices."""
    with call.look() as (conn, _):
        lot = found(next(iter(lots.by_ids(conn, [ident])), None))
        page = listed(lambda cursor: listings.invoices_page(conn, lot.id, cursor), asked.suite or "")
    return call.answer(listing([invoice_document(one) for one in page.rows], page), _looked(lot, suite=asked.suite))


@router.get("/factures/{ident}", **operation("lire_facture", "Une facture, son lot, ce qui lui répond."))
def read_invoice(call: Reading, ident: Given) -> InvoiceDetail:
    """One invoice."""
    with call.look() as (conn, register):
        invoice = found(lots.invoice_by_id(conn, ident))
        lot = found(next(iter(lots.by_ids(conn, [invoice.lot_id])), None))
        trace = found(messages.by_id(conn, lot.message_id)).trace
        answers = returns.of_lot(conn, lot.id)
    document = InvoiceDetail(
        **dict(invoice_document(invoice)),
        lot=lot_document(lot, trace, register),
        retours=[one.id for one in answers],
    )
    return call.answer(document, _looked(lot, facture=invoice.id))


def lot_document(lot: Lot, trace: str, register: Snapshot) -> LotDocument:
    """What is told of a lot."""
    return LotDocument(
        id=lot.id,
        suivi=trace,
        lot=f"{lot.ps_number}/{lot.number}/{lot.lot_date}",
        genre=LotKind(lot.kind),
        ps=lot.ps_number,
        assureur=label_of(register, lot.insurer_id),
        assureur_id=lot.insurer_id,
        nombre_factures=lot.invoice_count,
        montant_centimes=lot.billed,
        part_amo_centimes=lot.amo,
        part_amc_centimes=lot.amc,
        etat=LotState(lot.state),
        etat_en_clair=words.word(words.LOT, lot.state),
        depuis=lot.state_at,
        code=lot.code,
        envoi=lot.consignment_id,
        retenue=lot.hold_id,
        premier_lot=lot.first_lot_id,
        taille=lot.size,
        sha256=lot.sha256,
    )


def invoice_document(one: Invoice) -> InvoiceDocument:
    """What is told of an invoice."""
    return InvoiceDocument(
        id=one.id,
        numero=one.number,
        ps=one.ps_number,
        lot_id=one.lot_id,
        montant_centimes=one.billed,
        part_amo_centimes=one.amo,
        part_amc_centimes=one.amc,
        contrat_99=one.split,
        etat_amo=one.amo_state,
        etat_amc=one.amc_state,
    )


def _looked(lot: Lot, **data: object) -> Looked:
    return Looked(
        Look.CALL,
        message_id=lot.message_id,
        practitioner_id=lot.practitioner_id,
        data={"lot": lot.id, **filters(**data)},
    )
