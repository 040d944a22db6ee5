"""One's own account: password, second factor, sessions, tokens. Whatever opens the account asks the password again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from oct.errors import RuleError
from oct.steps.register.accounts import revoke_token
from oct.steps.register.own_account import (
    check_password,
    choose_password,
    close_session,
    confirm_factor,
    propose_factor,
    proposed_secret,
)
from oct.steps.register.sign_in import Present
from oct.store import sessions
from oct.web.desk import Desk, DeskGiven
from oct.web.identity import Identity, SignedIn, cookie_of, peer_of
from oct.web.qr import enrolment
from oct.web.refusals import NotSignedInError, TooManyError
from oct.web.rendering import render
from oct.web.values import RowNumber, Text

router = APIRouter(prefix="/mon-compte")


def present_person(request: Request, desk: DeskGiven, identity: SignedIn) -> Present:
    """Who sits at a browser; an API token is nobody here."""
    present = desk.sign_in.identify(cookie_of(request), peer_of(request))
    if present is None or present.identity != identity:
        raise NotSignedInError
    return present


Person = Annotated[Present, Depends(present_person)]


@router.get("")
def own_page(request: Request, desk: DeskGiven, person: Person, fait: str = "") -> Response:
    """The account, and what is open under its name."""
    return _page(request, desk, person, done=_DONE.get(fait, ""))


@router.post("/mot-de-passe")
def change_password(
    request: Request, desk: DeskGiven, person: Person, actuel: Text, mot_de_passe: Text, encore: Text
) -> Response:
    """Another password; the other sessions end."""
    work = desk.workshop
    try:
        check_password(mot_de_passe, person.identity.login)
        if mot_de_passe != encore:
            raise RuleError("mots-de-passe-differents", "Les deux mots de passe ne sont pas les mêmes.")
        _ask_again(request, desk, person.identity, actuel)
    except RuleError as error:
        return _page(request, desk, person, wrong=error.sentence)
    given: dict[str, Any] = {"now": work.clock(), "session_id": person.session_id}
    choose_password(work.store, person.identity.account_id, mot_de_passe, **given)
    return _back("mot-de-passe")


@router.post("/second-facteur")
def begin_factor(request: Request, desk: DeskGiven, person: Person, actuel: Text) -> Response:
    """A new second factor, to be confirmed; the old one counts until then."""
    work = desk.workshop
    try:
        _ask_again(request, desk, person.identity, actuel)
    except RuleError as error:
        return _page(request, desk, person, wrong=error.sentence)
    with work.store.begin() as conn:
        propose_factor(conn, work.vault, work.chance, person.identity.account_id, work.clock())
    return RedirectResponse("/mon-compte/second-facteur", status_code=303)


@router.get("/second-facteur")
def factor_page(request: Request, desk: DeskGiven, person: Person) -> Response:
    """The second factor that waits for its first code."""
    return _factor_page(request, desk, person)


@router.post("/second-facteur/code")
def end_factor(request: Request, desk: DeskGiven, person: Person, code: Text) -> Response:
    """Confirms it; the old one opens nothing any more."""
    work = desk.workshop
    given: dict[str, Any] = {"now": work.clock(), "session_id": person.session_id}
    try:
        confirm_factor(work.store, work.vault, person.identity.account_id, code, **given)
    except RuleError as error:
        return _factor_page(request, desk, person, wrong=error.sentence)
    return _back("second-facteur")


@router.post("/sessions/{session_id}")
def end_session(desk: DeskGiven, person: Person, session_id: RowNumber) -> Response:
    """Ends one of one's own sessions."""
    with desk.workshop.store.begin() as conn:
        close_session(conn, person.identity, session_id, desk.workshop.clock())
    return _back("session")


@router.post("/jetons/{token_id}")
def end_token(desk: DeskGiven, person: Person, token_id: RowNumber) -> Response:
    """Revokes one of one's own tokens."""
    who = person.identity
    with desk.workshop.store.begin() as conn:
        revoke_token(conn, token_id, now=desk.workshop.clock(), actor=who.actor, owner=who.account_id)
    return _back("jeton")


_DONE = {
    "mot-de-passe": "Le mot de passe est changé ; vos autres sessions sont fermées.",
    "second-facteur": "Le second facteur est changé ; vos autres sessions sont fermées.",
    "session": "La session est fermée.",
    "jeton": "Le jeton est révoqué.",
}


def _back(what: str) -> RedirectResponse:
    return RedirectResponse(f"/mon-compte?fait={what}", status_code=303)


def _ask_again(request: Request, desk: Desk, identity: Identity, password: str) -> None:
    denied = desk.sign_in.ask_again(identity, password, peer_of(request))
    if denied is None:
        return
    if denied.locked:
        raise TooManyError
    raise RuleError("mot-de-passe-faux", "Le mot de passe actuel n'est pas le bon.")


def _page(request: Request, desk: Desk, person: Present, *, wrong: str = "", done: str = "") -> Response:
    now, account = desk.workshop.clock(), person.identity.account_id
    with desk.workshop.store.read() as conn:
        own = sessions.open_sessions(conn, account, now - desk.sign_in.rules.idle, now)
        tokens = [one for one in sessions.tokens(conn, account) if one.revoked_at is None and one.expires_at > now]
    return render(
        request,
        "own.html",
        status=422 if wrong else 200,
        present=person,
        sessions=own,
        tokens=tokens,
        wrong=wrong,
        done=done,
    )


def _factor_page(request: Request, desk: Desk, person: Present, *, wrong: str = "") -> Response:
    work = desk.workshop
    with work.store.read() as conn:
        secret = proposed_secret(conn, work.vault, person.identity.account_id)
    if secret is None:
        return RedirectResponse("/mon-compte", status_code=303)
    factor = enrolment(secret, person.identity.login, work.rules.name)
    return render(request, "own_factor.html", status=422 if wrong else 200, factor=factor, wrong=wrong)
