"""The accounts of the console and their tokens, for an administrator: what the page of accounts does.

What opens something is in the answer, this once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, Field, StrictBool, StrictInt
from sqlalchemy import Connection

from oct.domain.rights import Role
from oct.errors import RuleError
from oct.steps.register.accounts import (
    change_account,
    close_account,
    forget_factor,
    give_password,
    issue_token,
    one_time,
    open_account,
    revoke_token,
    token_text,
)  # fmt: skip
from oct.store import accounts, sessions
from oct.store.accounts import Account
from oct.store.sessions import ApiToken
from oct.web.api.calling import Administering, Call, operation
from oct.web.api.fields import Document, Given, Instant, Line, RowId, told
from oct.web.pages.reader import found
from oct.web.refusals import NotFoundError

router = APIRouter(prefix="/comptes", tags=["comptes"])

_DAY_MS = 86_400_000
_ONCE = "Montré cette fois seulement."
_ADMINISTERING = "Demande le droit d'administrer."


def _named(text: str) -> str:
    if not text.strip():
        raise ValueError("vide")
    return " ".join(text.split())


Login = Annotated[str, told("Identifiant du compte.", "paul")]
Name = Annotated[Line, AfterValidator(_named)]


class AccountDocument(Document):
    """Un compte de la console."""

    identifiant: Login
    nom: str = told("Nom de la personne.", "Paul Invente")
    role: Role = told("auditor lit et exporte, operator lit et décide, administrator fait tout cela et tient les "
                      "comptes.", "operator")  # fmt: skip
    contenus: bool = told("S'il peut lire les contenus, avec un motif.", False)
    ouvert_le: Instant
    etat: Literal["ouvert", "à activer", "fermé"] = told("À activer : son mot de passe est provisoire.", "ouvert")


class AccountList(Document):
    """Tous les comptes."""

    elements: list[AccountDocument] = Field(description="Par identifiant.")


class TokenDocument(Document):
    """Un jeton, sans son texte."""

    id: RowId
    jeton: str = told("Son début, tout ce qui en est gardé en clair.", "oct_1f0c9a2b…")
    compte: Login
    libelle: str = told("À quoi il sert.", "supervision")
    role: Role = told("Son rôle ; ses droits sont ceux que le compte a aussi.", "auditor")
    contenus: bool = told("S'il ouvre les contenus.", False)
    echeance: Instant
    dernier_usage: Instant | None
    etat: Literal["valable", "échu", "révoqué"] = told("État.", "valable")


class TokenList(Document):
    """Tous les jetons d'un compte."""

    elements: list[TokenDocument] = Field(description="Du plus récent au plus ancien.")


class NewAccount(Document):
    """Un compte à ouvrir."""

    identifiant: Line = told("2 à 32 lettres minuscules sans accent, chiffres ou « . _ - ».", "paul", max_length=32)
    nom: Name = told("Nom de la personne.", "Paul Invente", max_length=80)
    role: Role = told("Son rôle.", "operator")
    contenus: StrictBool = Field(False, description="S'il peut lire les contenus, avec un motif.")


class AccountChange(Document):
    """Ce qui change d'un compte ; ce qui n'est pas donné reste."""

    nom: Name | None = Field(None, description="Nom de la personne.", max_length=80, examples=["Paul Invente"])
    role: Role | None = Field(None, description="Son rôle.", examples=["auditor"])
    contenus: StrictBool | None = Field(
        None, description="S'il peut lire les contenus, avec un motif.", examples=[False]
    )


class NewToken(Document):
    """Un jeton à faire."""

    libelle: Name = told("À quoi il servira.", "supervision", max_length=80)
    role: Role = told("Son rôle, au plus celui du compte.", "auditor")
    jours: StrictInt = told("Combien de jours il servira.", 90, ge=1, le=3650)
    contenus: StrictBool = Field(False, description="S'il ouvre les contenus ; le compte doit en avoir le droit.")


class OneTimePassword(Document):
    """Un mot de passe provisoire."""

    identifiant: Login
    mot_de_passe: str = told(f"À changer sous sept jours. {_ONCE}", "montre-une-seule-fois")


class TokenText(Document):
    """Un jeton neuf."""

    jeton: str = told(f"Le texte du jeton. {_ONCE}", f"oct_{'0' * 64}")


@router.get("", **operation("lister_comptes", "Tous les comptes.", _ADMINISTERING))
def list_all(call: Administering) -> AccountList:
    """All of them: a few tens."""
    with call.look() as (conn, _):
        every = accounts.list_all(conn)
    return call.answer(AccountList(elements=[_account(one) for one in every]))


@router.post("", status_code=201, **operation("ouvrir_compte", "Ouvre un compte.", _ADMINISTERING))
def add(call: Administering, asked: NewAccount) -> OneTimePassword:
    """Opens an account."""
    login, once = asked.identifiant, one_time(call.workshop.chance)
    call.begin()
    with call.workshop.store.begin() as conn:
        open_account(
            conn, login, asked.nom, asked.role, once, payloads=asked.contenus, now=call.workshop.clock(),
            actor=call.identity.actor,
        )  # fmt: skip
    return OneTimePassword(identifiant=login, mot_de_passe=once.password)


@router.get("/{identifiant}", **operation("lire_compte", "Un compte.", _ADMINISTERING))
def read(call: Administering, identifiant: Login) -> AccountDocument:
    """One account."""
    with call.look() as (conn, _):
        account = found(accounts.by_login(conn, identifiant))
    return call.answer(_account(account))


@router.patch("/{identifiant}", **operation("changer_compte", "Change nom, rôle, contenus.", _ADMINISTERING))
def change(call: Administering, identifiant: Login, asked: AccountChange) -> AccountDocument:
    """Changes an account."""
    with _changing(call, identifiant) as (conn, account):
        change_account(
            conn, account, now=call.workshop.clock(), actor=call.identity.actor, name=asked.nom, role=asked.role,
            payloads=asked.contenus,
        )  # fmt: skip
        changed = found(accounts.by_login(conn, identifiant))
    return _account(changed)


@router.post(
    "/{identifiant}/mot-de-passe",
    **operation("donner_mot_de_passe", "Donne un mot de passe provisoire ; les sessions se ferment.", _ADMINISTERING),
)
def password(call: Administering, identifiant: Login) -> OneTimePassword:
    """A one-time password."""
    once = one_time(call.workshop.chance)
    with _changing(call, identifiant) as (conn, account):
        give_password(conn, account, once, now=call.workshop.clock(), actor=call.identity.actor)
    return OneTimePassword(identifiant=identifiant, mot_de_passe=once.password)


@router.delete(
    "/{identifiant}/second-facteur",
    status_code=204,
    **operation("oublier_second_facteur", "Oublie un second facteur perdu.", _ADMINISTERING),
)
def factor(call: Administering, identifiant: Login) -> None:
    """The next sign-in chooses another."""
    with _changing(call, identifiant) as (conn, account):
        forget_factor(conn, account, now=call.workshop.clock(), actor=call.identity.actor)


@router.delete(
    "/{identifiant}",
    status_code=204,
    **operation("fermer_compte", "Ferme un compte pour toujours, ses sessions et ses jetons avec lui.", _ADMINISTERING),
)
def close(call: Administering, identifiant: Login) -> None:
    """Closes an account."""
    with _changing(call, identifiant) as (conn, account):
        close_account(conn, account, now=call.workshop.clock(), actor=call.identity.actor)


@router.get("/{identifiant}/jetons", **operation("lister_jetons", "Les jetons d'un compte.", _ADMINISTERING))
def list_tokens(call: Administering, identifiant: Login) -> TokenList:
    """All tokens of an account."""
    with call.look() as (conn, _):
        account = found(accounts.by_login(conn, identifiant))
        held = sessions.tokens(conn, account.id)
    now = call.workshop.clock()
    return call.answer(TokenList(elements=[_token(one, account.login, now) for one in held]))


@router.post(
    "/{identifiant}/jetons", status_code=201, **operation("faire_jeton", "Fait un jeton.", _ADMINISTERING)
)  # fmt: skip
def add_token(call: Administering, identifiant: Login, asked: NewToken) -> TokenText:
    """Issues a token."""
    text = token_text(call.workshop.chance)
    with _changing(call, identifiant) as (conn, account):
        issue_token(
            conn, account, asked.libelle, asked.role, text, payloads=asked.contenus, lasts=asked.jours * _DAY_MS,
            now=call.workshop.clock(), actor=call.identity.actor,
        )  # fmt: skip
    return TokenText(jeton=text)


@router.delete(
    "/{identifiant}/jetons/{ident}",
    status_code=204,
    **operation("revoquer_jeton", "Révoque un jeton du compte.", _ADMINISTERING),
)
def end_token(call: Administering, identifiant: Login, ident: Given) -> None:
    """Revokes a token."""
    with _changing(call, identifiant) as (conn, account):
        try:
            revoke_token(conn, ident, now=call.workshop.clock(), actor=call.identity.actor, owner=account.id)
        except RuleError:
            raise NotFoundError from None


@contextmanager
def _changing(call: Call, login: str) -> Iterator[tuple[Connection, Account]]:
    """The account, in a transaction that may change it; the call is written down before."""
    with call.look() as (conn, _):
        found(accounts.by_login(conn, login))
    call.begin()
    with call.workshop.store.begin() as conn:
        yield conn, found(accounts.by_login(conn, login))


def _account(one: Account) -> AccountDocument:
    state: Literal["ouvert", "à activer", "fermé"] = "ouvert"
    if one.closed_at is not None:
        state = "fermé"
    elif one.password_until is not None:
        state = "à activer"
    return AccountDocument(
        identifiant=one.login,
        nom=one.name,
        role=one.role,
        contenus=one.may_read_payloads,
        ouvert_le=one.created_at,
        etat=state,
    )


def _token(one: ApiToken, login: str, now: int) -> TokenDocument:
    return TokenDocument(
        id=one.id,
        jeton=f"{one.prefix}…",
        compte=login,
        libelle=one.label,
        role=one.role,
        contenus=one.may_read_payloads,
        echeance=one.expires_at,
        dernier_usage=one.used_at,
        etat="révoqué" if one.revoked_at is not None else "échu" if one.expires_at <= now else "valable",
    )
