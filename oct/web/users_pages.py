"""The accounts of the console, for an administrator: open, change, close, give a one-time password, issue tokens.

What opens an account is shown once, on the page that answers the form. Each look at accounts is an event (J3).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from oct.errors import RuleError
from oct.steps.register.accounts import (
    account_named,
    change_account,
    close_account,
    forget_factor,
    give_password,
    issue_token,
    one_time,
    open_account,
    revoke_token,
    token_text,
)
from oct.store import accounts, sessions
from oct.web.desk import DeskGiven
from oct.web.identity import Identity, Right, Role, require
from oct.web.pages.reader import Reader
from oct.web.refusals import NotFoundError
from oct.web.rendering import render
from oct.web.values import Label, RowNumber, Text, Tick

_DAY_MS = 86_400_000

router = APIRouter(prefix="/comptes")

Administrator = Annotated[Identity, Depends(require(Right.ADMINISTER))]
Days = Annotated[int, Form(ge=1, le=3650)]


@router.get("")
def list_page(request: Request, desk: DeskGiven, who: Administrator) -> Response:
    """Every account."""
    return _list(Reader(request, desk.workshop, who))


@router.post("")
def add(
    request: Request,
    desk: DeskGiven,
    who: Administrator,
    identifiant: Text,
    nom: Label,
    role: Annotated[Role, Form()],
    contenus: Tick = False,
) -> Response:
    """Opens an account; its one-time password is shown this once."""
    work, once = desk.workshop, one_time(desk.workshop.chance)
    login = identifiant.strip().lower()
    try:
        with work.store.begin() as conn:
            open_account(conn, login, nom, role, once, payloads=contenus, now=work.clock(), actor=who.actor)
    except RuleError as error:
        return _list(Reader(request, desk.workshop, who), wrong=error.sentence)
    return _told(request, login, "Mot de passe provisoire", once.password)


@router.get("/{login}")
def account_page(request: Request, desk: DeskGiven, who: Administrator, login: str, fait: str = "") -> Response:
    """One account."""
    return _account(Reader(request, desk.workshop, who), login, done=_DONE.get(fait, ""))


@router.post("/{login}")
def change(
    request: Request,
    desk: DeskGiven,
    who: Administrator,
    login: str,
    nom: Label,
    role: Annotated[Role, Form()],
    contenus: Tick = False,
) -> Response:
    """Changes name, role and the right to read payloads."""
    work = desk.workshop
    try:
        with work.store.begin() as conn:
            account = account_named(conn, login)
            change_account(conn, account, now=work.clock(), actor=who.actor, name=nom, role=role, payloads=contenus)
    except RuleError as error:
        return _account(Reader(request, desk.workshop, who), login, wrong=error.sentence)
    return _back(login, "compte")


@router.post("/{login}/mot-de-passe")
def password(request: Request, desk: DeskGiven, who: Administrator, login: str) -> Response:
    """A one-time password, shown this once."""
    work, once = desk.workshop, one_time(desk.workshop.chance)
    with work.store.begin() as conn:
        give_password(conn, account_named(conn, login), once, now=work.clock(), actor=who.actor)
    return _told(request, login, "Mot de passe provisoire", once.password)


@router.post("/{login}/second-facteur")
def factor(desk: DeskGiven, who: Administrator, login: str) -> Response:
    """Forgets a second factor that was lost."""
    with desk.workshop.store.begin() as conn:
        forget_factor(conn, account_named(conn, login), now=desk.workshop.clock(), actor=who.actor)
    return _back(login, "second-facteur")


@router.post("/{login}/fermer")
def close(request: Request, desk: DeskGiven, who: Administrator, login: str) -> Response:
    """Closes an account for good."""
    try:
        with desk.workshop.store.begin() as conn:
            close_account(conn, account_named(conn, login), now=desk.workshop.clock(), actor=who.actor)
    except RuleError as error:
        return _account(Reader(request, desk.workshop, who), login, wrong=error.sentence)
    return _back(login, "ferme")


@router.post("/{login}/jetons")
def add_token(
    request: Request,
    desk: DeskGiven,
    who: Administrator,
    login: str,
    libelle: Label,
    role: Annotated[Role, Form()],
    jours: Days,
    contenus: Tick = False,
) -> Response:
    """Issues a token of the API, shown this once."""
    work, text = desk.workshop, token_text(desk.workshop.chance)
    try:
        with work.store.begin() as conn:
            issue_token(
                conn,
                account_named(conn, login),
                libelle,
                role,
                text,
                payloads=contenus,
                lasts=jours * _DAY_MS,
                now=work.clock(),
                actor=who.actor,
            )
    except RuleError as error:
        return _account(Reader(request, desk.workshop, who), login, wrong=error.sentence)
    return _told(request, login, f"Jeton « {libelle} »", text)


@router.post("/{login}/jetons/{token_id}")
def end_token(desk: DeskGiven, who: Administrator, login: str, token_id: RowNumber) -> Response:
    """Revokes a token of this account."""
    with desk.workshop.store.begin() as conn:
        owner = account_named(conn, login).id
        revoke_token(conn, token_id, now=desk.workshop.clock(), actor=who.actor, owner=owner)
    return _back(login, "jeton")


_DONE = {
    "compte": "Le compte est modifié.",
    "second-facteur": "Le second facteur est oublié : la prochaine connexion en choisira un autre.",
    "ferme": "Le compte est fermé.",
    "jeton": "Le jeton est révoqué.",
}


def _back(login: str, what: str) -> RedirectResponse:
    return RedirectResponse(f"/comptes/{login}?fait={what}", status_code=303)


def _list(reader: Reader, *, wrong: str = "") -> Response:
    with reader.workshop.store.read() as conn:
        every = accounts.list_all(conn)
    return reader.page("users.html", status=422 if wrong else 200, accounts=every, wrong=wrong)


def _account(reader: Reader, login: str, *, wrong: str = "", done: str = "") -> Response:
    with reader.workshop.store.read() as conn:
        account = accounts.by_login(conn, login)
        if account is None:
            raise NotFoundError
        tokens = sessions.tokens(conn, account.id)
        enrolled = accounts.factor(conn, account.id, confirmed=True) is not None
    status, now = (422 if wrong else 200), reader.workshop.clock()
    return reader.page(
        "user.html",
        status=status,
        account=account,
        tokens=tokens,
        enrolled=enrolled,
        now=now,
        wrong=wrong,
        done=done,
    )


def _told(request: Request, login: str, what: str, secret: str) -> Response:
    return render(request, "told.html", login=login, what=what, secret=secret)
