"""Messages: the list, and the story of one with its journey drawn (J1). Identifiers, amounts, states; no payload."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from markupsafe import Markup
from sqlalchemy import Connection

from oct.clock import midnight
from oct.domain.identifiers import Kind, meanings
from oct.steps.journal.reading import Look, Looked
from oct.store import messages
from oct.store.browse import listings
from oct.store.messages import Message
from oct.store.story import Story, tell
from oct.web.drawing.journey import journey_of
from oct.web.drawing.journey_svg import journey_svg
from oct.web.pages.reader import Reading, filters, found, listed

router = APIRouter(prefix="/messages")

_INVOICES = 500
"""Invoices named on the page of a message; all of them stand on the pages of its lots."""


@router.get("")
def list_page(reader: Reading, suite: str = "", jour: Annotated[str, Query(max_length=10)] = "") -> Response:
    """Received messages, the newest first; until the end of a day when one is given."""
    until, wrong = None, ""
    if jour:
        until = midnight(jour, 1)
        wrong = "" if until is not None else "Date attendue : AAAA-MM-JJ."
    with reader.look() as (conn, register):
        page = listed(lambda cursor: listings.messages_page(conn, cursor, until=until), suite)
    return reader.page(
        "messages.html",
        Looked(Look.PAGE, data=filters(jour=jour if until is not None else "", suite=suite)),
        status=422 if wrong else 200,
        page=page,
        register=register,
        jour=jour,
        wrong=wrong,
    )


@router.get("/{trace}")
def message_page(reader: Reading, trace: str) -> Response:
    """The story of one message."""
    with reader.look() as (conn, register):
        message = message_named(conn, trace)
        story = found(tell(conn, message.id))
        traces = {one.message_id: _trace(conn, one.message_id) for one, _ in story.returns}
    names = {insurer.id: insurer.label for insurer in register.directory.insurers.values()}
    drawn = journey_svg(journey_of(story, names))
    return reader.page(
        "message.html",
        Looked(Look.PAGE, message_id=message.id, practitioner_id=message.practitioner_id),
        story=story,
        message=message,
        register=register,
        traces=traces,
        invoices=_some_invoices(story),
        journey=Markup(drawn),  # noqa: S704 - made by oct.web.drawing, which escapes every word
    )


def message_named(conn: Connection, trace: str) -> Message:
    """The message of a trace number, with or without its dash; NotFoundError when there is none."""
    named = next((meaning.value for meaning in meanings(trace) if meaning.kind is Kind.TRACE), None)
    return found(messages.by_trace(conn, found(named)))


def _trace(conn: Connection, message_id: int) -> str:
    return found(messages.by_id(conn, message_id)).trace


def _some_invoices(story: Story) -> list[tuple[int, str]]:
    every = ((invoice.id, invoice.number) for lot in story.lots for invoice in story.invoices[lot.id])
    return [one for one, _ in zip(every, range(_INVOICES), strict=False)]
