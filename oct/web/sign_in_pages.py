"""The pages by which one comes in and goes out: sign-in, the first sign-in's enrolment, sign-out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from oct.errors import RuleError
from oct.steps.register.own_account import check_password, choose_password, confirm_factor, proposed_secret
from oct.steps.register.sign_in import Denied, Present
from oct.web.cookies import drop_cookie, set_cookie
from oct.web.desk import Desk, DeskGiven
from oct.web.failures import FIRST_SIGN_IN, SIGN_IN
from oct.web.identity import cookie_of, forgery_token, peer_of
from oct.web.qr import enrolment
from oct.web.refusals import NotSignedInError, TooManyError
from oct.web.rendering import render
from oct.web.values import Text

router = APIRouter()

_WRONG = "Identifiant, mot de passe ou code incorrect."


@router.get(SIGN_IN)
def sign_in_page(request: Request, desk: DeskGiven, suite: str = "/") -> HTMLResponse:
    """The form, with a cookie to tie it to."""
    return _form(request, desk, suite)


@router.post(SIGN_IN)
def sign_in(
    request: Request, desk: DeskGiven, identifiant: Text, mot_de_passe: Text, code: Text = "", suite: Text = "/"
) -> Response:
    """Signs in, under another cookie than before; the session that the old one held is over."""
    came = desk.sign_in.enter(identifiant.strip().lower(), mot_de_passe, code, peer_of(request))
    if isinstance(came, Denied):
        if came.locked:
            raise TooManyError
        return _form(request, desk, suite, wrong=_WRONG)
    _leave(request, desk)
    answer = RedirectResponse(_inside(suite), status_code=303)
    set_cookie(request, answer, came)
    return answer


@router.post("/deconnexion")
def sign_out(request: Request, desk: DeskGiven) -> Response:
    """Signs out; the browser forgets its cookie, and what it kept of the pages."""
    _leave(request, desk)
    answer = RedirectResponse(SIGN_IN, status_code=303)
    answer.headers["Clear-Site-Data"] = '"cache"'
    drop_cookie(request, answer)
    return answer


@router.get(FIRST_SIGN_IN)
def first_page(request: Request, desk: DeskGiven) -> Response:
    """What is to be chosen before anything else."""
    present = _present(request, desk)
    return _enrolment(request, desk, present) if present.unfinished else RedirectResponse("/", status_code=303)


@router.post(FIRST_SIGN_IN)
def first_sign_in(
    request: Request, desk: DeskGiven, mot_de_passe: Text = "", encore: Text = "", code: Text = ""
) -> Response:
    """Chooses the password, confirms the second factor, as far as either is needed."""
    present, work = _present(request, desk), desk.workshop
    account, given = present.identity.account_id, {"now": work.clock(), "session_id": present.session_id}
    try:
        if present.needs_password:
            check_password(mot_de_passe, present.identity.login)
            if mot_de_passe != encore:
                raise RuleError("mots-de-passe-differents", "Les deux mots de passe ne sont pas les mêmes.")
        if present.needs_factor:
            confirm_factor(work.store, work.vault, account, code, **given)
        if present.needs_password:
            choose_password(work.store, account, mot_de_passe, **given)
    except RuleError as error:
        return _enrolment(request, desk, present, wrong=error.sentence)
    answer = RedirectResponse("/", status_code=303)
    set_cookie(request, answer, desk.sign_in.renew(present))
    return answer


def _leave(request: Request, desk: Desk) -> None:
    present = desk.sign_in.identify(cookie_of(request), peer_of(request))
    if present is not None:
        desk.sign_in.leave(present)


def _present(request: Request, desk: Desk) -> Present:
    present = desk.sign_in.identify(cookie_of(request), peer_of(request))
    if present is None:
        raise NotSignedInError
    return present


def _form(request: Request, desk: Desk, suite: str, *, wrong: str = "") -> HTMLResponse:
    cookie = cookie_of(request) or desk.sign_in.new_token()
    page = render(
        request,
        "sign_in.html",
        status=401 if wrong else 200,
        csrf=forgery_token(cookie),
        after=_inside(suite),
        wrong=wrong,
    )
    set_cookie(request, page, cookie)
    return page


def _enrolment(request: Request, desk: Desk, present: Present, *, wrong: str = "") -> HTMLResponse:
    work = desk.workshop
    with work.store.read() as conn:
        secret = proposed_secret(conn, work.vault, present.identity.account_id)
    return render(
        request,
        "first_sign_in.html",
        status=422 if wrong else 200,
        present=present,
        factor=enrolment(secret, present.identity.login, work.rules.name) if secret and present.needs_factor else None,
        wrong=wrong,
    )


def _inside(path: str) -> str:
    """A path of this console, whatever was asked for."""
    local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if local else "/"
