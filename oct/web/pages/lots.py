"""Lots, their invoices, and what carries them: consignments (remises)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from oct.domain.journey import LotState
from oct.steps.journal.reading import Look, Looked
from oct.store import consignments, lots, messages, returns
from oct.store.browse import listings
from oct.web.pages.reader import Reading, filters, found, id_of, listed, row_id
from oct.web.refusals import NotFoundError

router = APIRouter()


@router.get("/lots")
def lots_page(reader: Reading, etat: str = "", ps: str = "", assureur: str = "", suite: str = "") -> Response:
    """Lots, the newest first: in one state, of one practitioner, or for one insurer."""
    with reader.look() as (conn, register):
        state = _state(etat)
        account = found(register.by_number.get(ps)) if ps else None
        insurer = found(register.directory.insurers.get(row_id(assureur))) if assureur else None
        page = listed(
            lambda cursor: listings.lots_page(
                conn,
                cursor,
                state=state,
                practitioner_id=id_of(account),
                insurer_id=id_of(insurer),
            ),
            suite,
        )
    return reader.page(
        "lots.html",
        Looked(
            Look.PAGE,
            practitioner_id=id_of(account),
            insurer_id=id_of(insurer),
            data=filters(etat=state, suite=suite),
        ),
        page=page,
        register=register,
        states=list(LotState),
        state=state,
        account=account,
        insurer=insurer,
    )


@router.get("/lots/{ident}")
def lot_page(reader: Reading, ident: str, suite: str = "") -> Response:
    """A lot, its invoices, its other sendings, what answers it."""
    with reader.look() as (conn, register):
        lot = found(next(iter(lots.by_ids(conn, [row_id(ident)])), None))
        message = found(messages.by_id(conn, lot.message_id))
        page = listed(lambda cursor: listings.invoices_page(conn, lot.id, cursor), suite)
        sendings = lots.by_identity(conn, lot.ps_number, lot.number, lot.lot_date)
        answers = returns.of_lot(conn, lot.id)
        progress = returns.progress(conn, answers)
        carried = consignments.by_id(conn, lot.consignment_id) if lot.consignment_id is not None else None
    return reader.page(
        "lot.html",
        Looked(
            Look.PAGE,
            message_id=lot.message_id,
            practitioner_id=lot.practitioner_id,
            data={"lot": lot.id, **filters(suite=suite)},
        ),
        lot=lot,
        message=message,
        register=register,
        page=page,
        sendings=[one for one in sendings if one.id != lot.id],
        answers=answers,
        progress=progress,
        carried=carried,
    )


@router.get("/factures/{ident}")
def invoice_page(reader: Reading, ident: str) -> Response:
    """An invoice: its amounts, its lot, what was answered."""
    with reader.look() as (conn, register):
        invoice = found(lots.invoice_by_id(conn, row_id(ident)))
        lot = found(next(iter(lots.by_ids(conn, [invoice.lot_id])), None))
        message = found(messages.by_id(conn, lot.message_id))
        answers = returns.of_lot(conn, lot.id)
        progress = returns.progress(conn, answers)
    return reader.page(
        "invoice.html",
        Looked(Look.PAGE, message_id=message.id, practitioner_id=lot.practitioner_id, data={"facture": invoice.id}),
        invoice=invoice,
        lot=lot,
        message=message,
        register=register,
        answers=answers,
        progress=progress,
    )


@router.get("/envois")
def consignments_page(reader: Reading, ps: str = "", assureur: str = "", suite: str = "") -> Response:
    """What leaves, the newest first: for one practitioner or one insurer when given."""
    with reader.look() as (conn, register):
        account = found(register.by_number.get(ps)) if ps else None
        insurer = found(register.directory.insurers.get(row_id(assureur))) if assureur else None
        page = listed(
            lambda cursor: listings.consignments_page(
                conn, cursor, practitioner_id=id_of(account), insurer_id=id_of(insurer)
            ),
            suite,
        )
    return reader.page(
        "consignments.html",
        Looked(
            Look.PAGE,
            practitioner_id=id_of(account),
            insurer_id=id_of(insurer),
            data=filters(suite=suite),
        ),
        page=page,
        account=account,
        insurer=insurer,
    )


@router.get("/envois/{ident}")
def consignment_page(reader: Reading, ident: str) -> Response:
    """A consignment: its tries, what it carries."""
    with reader.look() as (conn, register):
        one = found(consignments.by_id(conn, row_id(ident)))
        message = found(messages.by_id(conn, one.message_id))
        carried = lots.of_consignment(conn, one.id)
    return reader.page(
        "consignment.html",
        Looked(
            Look.PAGE,
            message_id=one.message_id,
            consignment_id=one.id,
            practitioner_id=one.practitioner_id,
            insurer_id=one.insurer_id,
        ),
        one=one,
        message=message,
        carried=carried,
        register=register,
    )


def _state(text: str) -> LotState | None:
    try:
        return LotState(text) if text else None
    except ValueError:
        raise NotFoundError from None
