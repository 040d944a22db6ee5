"""What is answered when something is refused or fails: a page for people, JSON under `/api/`, never a detail."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from oct.errors import OctError, StoreError
from oct.web.refusals import NotSignedInError, RefusalError, UnfinishedError
from oct.web.rendering import render

SIGN_IN, FIRST_SIGN_IN = "/connexion", "/premiere-connexion"

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
    said = sentence or _SENTENCES.get(status, _SENTENCES[400])
    if request.url.path.startswith("/api/"):
        return JSONResponse({"code": code or f"http-{status}", "detail": said}, status_code=status)
    return render(request, "failure.html", status=status, code=status, sentence=said)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    page = request.method == "GET" and not request.url.path.startswith("/api/")
    if page and isinstance(error, NotSignedInError):
        after = f"?suite={quote(request.url.path)}" if request.url.path != "/" else ""
        return RedirectResponse(f"{SIGN_IN}{after}", status_code=303)
    if page and isinstance(error, UnfinishedError):
        return RedirectResponse(FIRST_SIGN_IN, status_code=303)
    answer = failure(request, error.status, error.sentence, code=error.code)
    if isinstance(error, NotSignedInError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = failure(request, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


def _invalid(request: Request, _error: Exception) -> Response:
    return failure(request, 422)


def _declared(request: Request, error: Exception) -> Response:
    assert isinstance(error, OctError)
    if isinstance(error, StoreError):
        return failure(request, 503, code=error.code)
    return failure(request, 422, error.describe(), code=error.code)
