"""The home page: where everything stands."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from oct.domain import words
from oct.store.overview import overview
from oct.web.desk import DeskGiven
from oct.web.identity import Right, require
from oct.web.rendering import render

router = APIRouter(dependencies=[Depends(require(Right.READ_TRACE))])


@router.get("/")
def home(request: Request, desk: DeskGiven) -> HTMLResponse:
    """Counts by state."""
    with desk.workshop.store.read() as conn:
        seen = overview(conn, desk.workshop.clock())
    flows = (
        ("Messages", _named(seen.messages, words.MESSAGE)),
        ("Lots", _named(seen.lots, words.LOT)),
        ("Envois", _named(seen.consignments, words.CONSIGNMENT)),
    )
    return render(request, "home.html", flows=flows, seen=seen)


def _named(counts: Mapping[str, int], names: Mapping[str, str]) -> list[tuple[str, int]]:
    return [(words.word(names, state), count) for state, count in counts.items()]
