"""Bundles for an auditor (J2): the whole log, a practitioner, a period, or what one identifier leads to.

One is made at a time, whole, before its first byte leaves; who asks meanwhile gets 503. An export that is broken off
leaves nothing behind.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import Field, StrictBool

from oct.clock import utc
from oct.errors import RuleError
from oct.steps.journal.reading import Look, Looked
from oct.trace.verify import ProofError
from oct.web.api.calling import Call, Exporting, operation
from oct.web.api.fields import Day, Document, Line
from oct.web.pages.exports import blocks, made, selection_of
from oct.web.refusals import BusyError

router = APIRouter(prefix="/export", tags=["journal"])

_TURN = threading.Lock()


class ExportAsked(Document):
    """Tout le journal, ou bien un praticien, une période, un identifiant."""

    tout: StrictBool = Field(False, description="Tout le journal ; rien d'autre n'est donné alors.", examples=[False])
    ps: Line | None = Field(None, description="Numéro d'un praticien.", max_length=20, examples=["991234567"])
    depuis: Day | None = Field(None, description="Premier jour.", examples=["2026-10-01"])
    jusqu_a: Day | None = Field(None, description="Dernier jour.", examples=["2026-12-31"])
    identifiant: Line | None = Field(
        None, description="Un identifiant (voir la recherche).", max_length=300, examples=[None]
    )


@router.post(
    "",
    **operation(
        "exporter",
        "Le lot de preuve, en zip : événements, têtes, preuves, vérificateur et mode d'emploi.",
        "Demande le droit d'exporter. Se vérifie sur une autre machine avec la seule clé publique.",
    ),
    response_class=StreamingResponse,
    responses={200: {"description": "Le lot.", "content": {"application/zip": {
        "schema": {"type": "string", "format": "binary"},
    }}}},
)  # fmt: skip
def export(call: Exporting, asked: ExportAsked) -> StreamingResponse:
    """The bundle, as a file to keep."""
    given: dict[str, str] = asked.model_dump(exclude={"tout"}, exclude_none=True)
    if asked.tout == bool(given):
        raise RuleError("choix", "Choisissez tout le journal, ou bien un praticien, une période, un identifiant.")
    now = call.workshop.clock()
    with _turn():
        count, account, bundle = _bundle(call, asked, given, now)
    data = {**given, "tout": asked.tout, "evenements": count}
    call.note(Looked(Look.EXPORT, practitioner_id=account, data=data))
    name = f"trace-{utc(now):%Y%m%dT%H%M%S}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(blocks(bundle), media_type="application/zip", headers=headers)


def _bundle(call: Call, asked: ExportAsked, given: Mapping[str, str], now: int) -> tuple[int, int | None, IO[bytes]]:
    """How many events, of which account, and the file."""
    selection = None if asked.tout else selection_of(call, **given)
    try:
        count, bundle = made(call, selection, now)
    except ProofError as fault:
        raise RuleError("journal-altere", fault.sentence) from fault
    return count, selection.practitioner_id if selection is not None else None, bundle


@contextmanager
def _turn() -> Iterator[None]:
    if not _TURN.acquire(blocking=False):
        raise BusyError
    try:
        yield
    finally:
        _TURN.release()
