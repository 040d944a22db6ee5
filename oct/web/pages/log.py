"""The log itself: sealed events with their proofs, signed heads, and who read what (J2, J3)."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from oct.steps.journal.evidence import consistency, inclusion
from oct.steps.journal.reading import Look, Looked
from oct.store import journal
from oct.store.browse import log
from oct.web.identity import Identity, Right, require
from oct.web.pages.reader import Reading, filters, found, listed, row_id

router = APIRouter()


@router.get("/journal")
def log_page(reader: Reading, suite: str = "") -> Response:
    """Sealed events, the last first."""
    with reader.look() as (conn, _):
        page = listed(lambda cursor: log.sealed_page(conn, cursor), suite)
        head, waiting = journal.last_head(conn), log.waiting(conn)
    return reader.page("log.html", Looked(Look.PAGE, data=filters(suite=suite)), page=page, head=head, waiting=waiting)


@router.get("/journal/tetes")
def heads_page(reader: Reading, suite: str = "") -> Response:
    """Signed heads, the newest first."""
    with reader.look() as (conn, _):
        page = listed(lambda cursor: log.heads_page(conn, cursor), suite)
    return reader.page("heads.html", Looked(Look.PAGE, data=filters(suite=suite)), page=page)


@router.get("/journal/tetes/{size}")
def head_page(reader: Reading, size: str) -> Response:
    """A head, and the proof that the newest one continues it."""
    with reader.look() as (conn, _):
        proof = found(consistency(conn, row_id(size)))
    return reader.page("head.html", Looked(Look.PAGE), proof=proof)


@router.get("/journal/{seq}")
def event_page(reader: Reading, seq: str) -> Response:
    """An event, and the proof that it is under the newest head."""
    place = 0 if seq == "0" else row_id(seq)
    with reader.look() as (conn, _):
        logged = found(log.at_place(conn, place))
        proof = inclusion(conn, place)
    data = dict(logged.event.data) if logged.event is not None else {}
    told = json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True)
    return reader.page("event.html", Looked(Look.PAGE), logged=logged, told=told, proof=proof)


@router.get("/acces")
def access_page(
    reader: Reading, _: Annotated[Identity, Depends(require(Right.ADMINISTER))], suite: str = ""
) -> Response:
    """Who read what, the last first."""
    with reader.look() as (conn, _register):
        page = listed(lambda cursor: log.readings_page(conn, cursor), suite)
    return reader.page("access.html", Looked(Look.PAGE, data=filters(suite=suite)), page=page)
