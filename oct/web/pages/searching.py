"""Search by any identifier: what it leads to, whatever it is (J1). What was typed is never put back into the address
of another page, and is written down only where it led somewhere (J4).
"""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from oct.steps.journal.reading import Look, Looked, search_told
from oct.store.browse.search import LIMIT, search
from oct.web.pages.reader import Reading

router = APIRouter()

_SHOWN = 80


@router.get("/recherche")
def search_page(reader: Reading, q: str = "") -> Response:
    """The form, and what the text leads to."""
    if not q.strip():
        return reader.page("search.html", asked="", found=None, limit=LIMIT, accounts=(), insurers=())
    with reader.look() as (conn, register):
        found = search(conn, q)
    return reader.page(
        "search.html",
        Looked(Look.SEARCH, data=search_told(q, found, reader.workshop.pseudonyms)),
        asked=q.strip()[:_SHOWN],
        found=found,
        register=register,
        limit=LIMIT,
        accounts=[register.by_id[one] for one in found.practitioners if one in register.by_id],
        insurers=[register.directory.insurers[one] for one in found.insurers if one in register.directory.insurers],
    )
