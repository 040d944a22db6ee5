"""Practitioners, insurers, certificates: who they are, what goes to them and comes from them, what expires (K1)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from oct.steps.journal.reading import Look, Looked
from oct.steps.register.validity import look_over
from oct.store import certificates, mailboxes, returns
from oct.store.browse import listings
from oct.store.certificates import CertificateRole
from oct.store.overview import unfinished_of
from oct.web.pages.reader import Reading, filters, found, listed, row_id

router = APIRouter()

_LATEST = 10


@router.get("/praticiens")
def practitioners_page(reader: Reading, suite: str = "") -> Response:
    """The accounts."""
    with reader.look() as (conn, _):
        page = listed(lambda cursor: listings.accounts_page(conn, cursor), suite)
    return reader.page("practitioners.html", Looked(Look.PAGE, data=filters(suite=suite)), page=page)


@router.get("/praticiens/{number}")
def practitioner_page(reader: Reading, number: str) -> Response:
    """An account, by any of its numbers, with the latest of its traffic."""
    with reader.look() as (conn, register):
        account = found(register.by_number.get(number))
        messages = listings.messages_page(conn, practitioner_id=account.id).rows[:_LATEST]
        answers = [row.of for row in listings.returns_page(conn, practitioner_id=account.id).rows[:_LATEST]]
        progress = returns.progress(conn, answers)
        hosted = mailboxes.counts(conn, account.id)
        unfinished = unfinished_of(conn, practitioner_id=account.id)
        own = [one for one in certificates.of_address(conn, account.address) if one.retired_at is None]
    return reader.page(
        "practitioner.html",
        Looked(Look.PAGE, practitioner_id=account.id),
        account=account,
        messages=messages,
        returns=answers,
        progress=progress,
        register=register,
        hosted=hosted,
        unfinished=unfinished,
        certificates=own,
    )


@router.get("/assureurs")
def insurers_page(reader: Reading, suite: str = "") -> Response:
    """The directory."""
    with reader.look() as (conn, _):
        page = listed(lambda cursor: listings.insurers_page(conn, cursor), suite)
    return reader.page("insurers.html", Looked(Look.PAGE, data=filters(suite=suite)), page=page)


@router.get("/assureurs/{ident}")
def insurer_page(reader: Reading, ident: str) -> Response:
    """An insurer, what waits for its answer, the latest lots and sendings for it."""
    with reader.look() as (conn, register):
        insurer = found(register.directory.insurers.get(row_id(ident)))
        lots = listings.lots_page(conn, insurer_id=insurer.id).rows[:_LATEST]
        sendings = listings.consignments_page(conn, insurer_id=insurer.id).rows[:_LATEST]
        unfinished = unfinished_of(conn, insurer_id=insurer.id)
        own = [one for one in certificates.of_address(conn, insurer.address) if one.retired_at is None]
    return reader.page(
        "insurer.html",
        Looked(Look.PAGE, insurer_id=insurer.id),
        insurer=insurer,
        lots=lots,
        sendings=sendings,
        unfinished=unfinished,
        register=register,
        certificates=own,
    )


@router.get("/certificats")
def certificates_page(reader: Reading) -> Response:
    """Every certificate in use, and what is wrong or about to be."""
    now = reader.workshop.clock()
    with reader.look() as (conn, register):
        stored, lists = certificates.list_all(conn), certificates.revocation_lists(conn)
    findings = look_over(stored, lists, reader.workshop.opener.keys.keys, register.trust, now)
    return reader.page(
        "certificates.html",
        Looked(Look.PAGE),
        findings=findings,
        own=reader.workshop.opener.keys.keys,
        stored=[one for one in stored if one.retired_at is None],
        authority=CertificateRole.AUTHORITY,
    )
