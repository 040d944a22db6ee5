"""The API as an application: its calls joined, its description public, its places counted.

More calls than there are places, in all or from one address, are answered 429 at once: whoever asks much leaves the
console its threads.
"""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oct.doors.admission import Admission
from oct.errors import described
from oct.web.api import (
    accounts,
    certificates,
    consignments,
    exports,
    holds,
    insurers,
    journal,
    lots,
    messages,
    overview,
    practitioners,
    returns,
    search,
)
from oct.web.api.description import finished
from oct.web.desk import Desk
from oct.web.failures import answer_failures, failure
from oct.web.identity import peer_of
from oct.web.refusals import RefusalError

_log = structlog.get_logger()

_PLACES, _PER_ADDRESS = 24, 8
_NOUNS = (
    overview, search, messages, lots, consignments, returns, holds, practitioners, insurers, certificates, journal,
    exports, accounts,
)  # fmt: skip

_TAGS = {
    "état": "Où en est chaque flux.",
    "recherche": "Par n'importe quel identifiant.",
    "messages": "Les messages reçus, et toute leur histoire.",
    "lots": "Les lots et leurs factures.",
    "envois": "Ce qui part (remises).",
    "retours": "Ce que disent les assureurs.",
    "retenues": "Ce qui attend une décision.",
    "praticiens": "Les comptes des praticiens.",
    "assureurs": "L'annuaire.",
    "certificats": "Ce qui sert, ce qui échoit.",
    "journal": "La trace, sa preuve, qui l'a lue.",
    "comptes": "Qui se connecte, avec quels jetons.",
}


class Api(FastAPI):
    """With a description that tells examples and every refusal."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = finished(super().openapi())
        return self.openapi_schema


def create_api(desk: Desk) -> FastAPI:
    """The API of this desk, to be mounted at `/api/v1`."""
    api = Api(
        title="Concentrateur OCT",
        version="1",
        summary="Ce que la console montre et fait, pour les programmes.",
        description=(
            "Chaque appel porte un jeton (`Authorization: Bearer oct_…`) et laisse un événement au journal. Les "
            "montants sont en centimes d'euro, les tailles en octets, les instants en UTC (RFC 3339). Une liste donne "
            "cinquante éléments et, dans `suite`, d'où la reprendre."
        ),
        openapi_tags=[{"name": name, "description": told} for name, told in _TAGS.items()],
        docs_url=None,
        redoc_url=None,
    )
    api.state.desk = desk
    for noun in _NOUNS:
        api.include_router(noun.router)
    answer_failures(api)
    api.add_middleware(Places)
    return api


class Places:
    """An ASGI application around another, with places for so many calls at once.

    A failure that nobody declared is logged here by its type and place: further out, the framework answers it in its
    own words.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._admission = Admission(connections=_PLACES, per_address=_PER_ADDRESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        request = Request(scope)
        try:
            peer = peer_of(request)
        except RefusalError as error:
            await failure(request, error.status, code=error.code)(scope, receive, send)
            return
        if not self._admission.enter(peer):
            await failure(request, 429, code="trop-de-demandes")(scope, receive, send)
            return
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as surprise:
            if begun:
                raise
            _log.error("api-surprise", **described(surprise))
            await failure(request, 500)(scope, receive, send)
        finally:
            self._admission.leave(peer)
