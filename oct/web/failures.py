"""What is answered when something is refused or fails: a page for people, a problem under `/api/`, never a detail.

That somebody known asked for what is not there, or cannot be, is an event like any look (J3); so is what is turned away
before anybody is known, by a token or a cookie that does not count (`steps/register/turned_away`).
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from oct.errors import OctError, StoreError
from oct.steps.journal.reading import Look, Looked, note_look
from oct.web.desk import desk_of
from oct.web.identity import Identity, asked_place, bearer_of, cookie_of, peer_of
from oct.web.problems import faults_of, problem
from oct.web.refusals import ForgedError, NotFoundError, NotSignedInError, RefusalError, UnfinishedError
from oct.web.rendering import render

SIGN_IN, FIRST_SIGN_IN = "/connexion", "/premiere-connexion"

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_SENTENCES = {
    400: "La demande n'est pas correcte.",
    403: "Cette action n'est pas permise.",
    404: "Cette page n'existe pas.",
    405: "Cette adresse ne se demande pas ainsi.",
    408: "La demande n'est pas arrivée à temps.",
    413: "La demande est trop volumineuse.",
    422: "Une valeur donnée n'est pas correcte.",
    500: "Une erreur inattendue s'est produite ; elle est notée dans le journal du programme.",
    503: "Le service est momentanément indisponible : réessayez dans un instant.",
}


def answer_failures(app: FastAPI) -> None:
    """Gives the application an answer to every failure."""
    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OctError, _declared)


def failure(request: Request, status: int, sentence: str = "", *, code: str = "") -> Response:
    """The answer for a status; `sentence` where the usual one says too little."""
    if for_programs(request):
        return problem(status, sentence, code=code)
    said = sentence or _SENTENCES.get(status, _SENTENCES[400])
    return render(request, "failure.html", status=status, code=status, sentence=said)


def for_programs(request: Request) -> bool:
    """Whether a program asked."""
    return request.url.path.startswith("/api/")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    if isinstance(error, NotFoundError):
        _note_vain(request, error.status)
    if isinstance(error, NotSignedInError | ForgedError):
        _note_turned_away(request, error)
    page = request.method == "GET" and not for_programs(request)
    if page and isinstance(error, NotSignedInError):
        after = f"?suite={quote(request.url.path)}" if request.url.path != "/" else ""
        return RedirectResponse(f"{SIGN_IN}{after}", status_code=303)
    if page and isinstance(error, UnfinishedError):
        return RedirectResponse(FIRST_SIGN_IN, status_code=303)
    sentence = "" if for_programs(request) and isinstance(error, NotFoundError) else error.sentence
    answer = failure(request, error.status, sentence, code=error.code)
    if isinstance(error, NotSignedInError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = failure(request, error.status_code)
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_allowed(request))
    return answer


def _allowed(request: Request) -> list[str]:
    """The methods that some route takes at this path; the framework tells those of the first."""
    asked = ({**request.scope, "method": method} for method in _METHODS)
    return [
        str(scope["method"])
        for scope in asked
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    _note_vain(request, 422)
    if for_programs(request):
        return problem(422, code="valeur-incorrecte", faults=faults_of(error.errors()))
    return failure(request, 422)


def _note_vain(request: Request, status: int) -> None:
    """Writes a look at nothing down, without what was typed. Nothing is shown for it: a database that is away hides
    nobody's reading."""
    identity: Identity | None = getattr(request.state, "identity", None)
    if identity is None:
        return
    data: dict[str, object] = {"page": asked_place(request), "statut": status}
    if identity.token:
        data |= {"jeton": identity.token, "libelle": identity.label}
    work = desk_of(request).workshop
    with suppress(StoreError):
        note_look(work.store, Looked(Look.VAIN, data=data), actor=identity.actor, now=work.clock())


def _note_turned_away(request: Request, error: RefusalError) -> None:
    """Writes down who was not let in; not a person who comes by for the first time, and is shown the form."""
    shown = bearer_of(request) or cookie_of(request)
    if not shown and not for_programs(request) and request.method == "GET":
        return
    desk, actor = desk_of(request), ""
    with suppress(StoreError):
        actor = desk.sign_in.holder_of(shown)
    with suppress(RefusalError):  # nobody's address
        desk.turned_away.note(peer_of(request), error.status, error.code, asked_place(request), actor)


def _declared(request: Request, error: Exception) -> Response:
    assert isinstance(error, OctError)
    if isinstance(error, StoreError):
        return failure(request, 503, code=error.code)
    return failure(request, 422, error.describe(), code=error.code)
