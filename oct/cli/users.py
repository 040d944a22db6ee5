"""`oct users`: accounts of the console, and tokens of the API. What opens one is printed once."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oct.cli.opening import ConfigOption, JsonOption, at_desk, checked_label
from oct.cli.printing import instant, print_fields, print_rows
from oct.cli.usage import Noun

if TYPE_CHECKING:
    from oct.store.accounts import Account
    from oct.store.sessions import ApiToken

app = Noun("Les comptes de la console et les jetons de l'API.")
tokens = Noun("Les jetons de l'API d'un compte.")
app.add_typer(tokens, name="token")

_DAY_MS = 86_400_000


class GivenRole(StrEnum):
    """The domain's roles, named here so that help needs no import."""

    AUDITOR = "auditor"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


Login = Annotated[str, typer.Argument(metavar="IDENTIFIANT", help="L'identifiant du compte.")]
_ROLE_HELP = (
    "auditor lit et exporte la preuve, operator lit et décide, administrator fait tout cela et tient les comptes."
)


@app.command()
def add(
    login: Login,
    role: Annotated[GivenRole, typer.Option("--role", help=_ROLE_HELP)],
    name: Annotated[str, typer.Option("--name", metavar="NOM", help="Nom de la personne.", show_default=False)] = "",
    payloads: Annotated[bool, typer.Option("--payloads", help="Peut lire les contenus, avec un motif.")] = False,
    config: ConfigOption = None,
) -> None:
    """Ouvre un compte.

    Son mot de passe provisoire est montré une fois ; le second facteur se choisit à la première connexion.
    """
    from oct.domain.rights import Role
    from oct.steps.register import accounts

    with at_desk(config) as desk:
        once = accounts.one_time(os.urandom)
        shown = checked_label(name or login)
        with desk.store.begin() as conn:
            accounts.open_account(
                conn, login, shown, Role(role), once, payloads=payloads, now=desk.now, actor=desk.actor
            )
    print(
        f"Compte {login} ouvert : mot de passe {once.password} (montré cette fois seulement, à changer sous 7 jours)."
    )


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les comptes."""
    from oct.store import accounts

    with at_desk(config) as desk, desk.store.read() as conn:
        rows = [_fields(account) for account in accounts.list_all(conn)]
    headings = {"identifiant": "Identifiant", "nom": "Nom", "role": "Rôle", "contenus": "Contenus", "etat": "État"}
    print_rows(rows, headings, as_json=as_json, empty="Aucun compte : « oct users add ».")


@app.command()
def show(login: Login, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Montre un compte."""
    from oct.steps.register.accounts import account_named
    from oct.store import accounts, sessions

    with at_desk(config) as desk, desk.store.read() as conn:
        account = account_named(conn, login)
        enrolled = accounts.factor(conn, account.id, confirmed=True) is not None
        held = [one.prefix for one in sessions.tokens(conn, account.id) if _state(one, desk.now) == "valable"]
    print_fields({**_fields(account), "second_facteur": enrolled, "jetons": held}, as_json=as_json)


@app.command("set")
def set_(
    login: Login,
    role: Annotated[GivenRole | None, typer.Option("--role", help=_ROLE_HELP, show_default=False)] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NOM", help="Nom de la personne.")] = None,
    payloads: Annotated[
        bool | None, typer.Option("--payloads/--no-payloads", help="Peut lire les contenus, ou non.")
    ] = None,
    password: Annotated[bool, typer.Option("--password", help="Un mot de passe provisoire, montré une fois.")] = False,
    factor: Annotated[
        bool, typer.Option("--forget-factor", help="Le second facteur est perdu : en choisir un autre.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Change un compte : ce qui est donné seulement."""
    from oct.domain.rights import Role
    from oct.steps.register import accounts

    with at_desk(config) as desk:
        once = accounts.one_time(os.urandom) if password else None
        who: dict[str, Any] = {"now": desk.now, "actor": desk.actor}
        with desk.store.begin() as conn:
            account = accounts.account_named(conn, login)
            accounts.change_account(
                conn,
                account,
                name=name and checked_label(name),
                role=None if role is None else Role(role),
                payloads=payloads,
                **who,
            )
            if once is not None:
                accounts.give_password(conn, account, once, **who)
            if factor:
                accounts.forget_factor(conn, account, **who)
    print(f"Compte {login} modifié.")
    if once is not None:
        print(f"Mot de passe {once.password} (montré cette fois seulement, à changer sous 7 jours).")


@app.command()
def close(login: Login, config: ConfigOption = None) -> None:
    """Ferme un compte, ses sessions et ses jetons."""
    from oct.steps.register import accounts

    with at_desk(config) as desk, desk.store.begin() as conn:
        accounts.close_account(conn, accounts.account_named(conn, login), now=desk.now, actor=desk.actor)
    print(f"Compte {login} fermé.")


@tokens.command("add")
def add_token(
    login: Login,
    label: Annotated[str, typer.Option("--label", metavar="LIBELLE", help="À quoi il sert.")],
    role: Annotated[
        GivenRole | None, typer.Option("--role", help="Son rôle (sinon celui du compte).", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option("--days", metavar="JOURS", min=1, max=3650, help="Sa durée.")] = 365,
    payloads: Annotated[bool, typer.Option("--payloads", help="Peut lire les contenus.")] = False,
    config: ConfigOption = None,
) -> None:
    """Crée un jeton, montré une fois."""
    from oct.domain.rights import Role
    from oct.steps.register import accounts

    text = accounts.token_text(os.urandom)
    with at_desk(config) as desk, desk.store.begin() as conn:
        account = accounts.account_named(conn, login)
        accounts.issue_token(
            conn,
            account,
            checked_label(label),
            Role(role) if role is not None else account.role,
            text,
            payloads=payloads,
            lasts=days * _DAY_MS,
            now=desk.now,
            actor=desk.actor,
        )
    print(f"Jeton de {login}, montré cette fois seulement : {text}")


@tokens.command("list")
def list_tokens(
    login: Annotated[str, typer.Argument(metavar="[IDENTIFIANT]", help="Un compte (sinon tous).")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les jetons."""
    from oct.steps.register.accounts import account_named
    from oct.store import accounts, sessions

    with at_desk(config) as desk, desk.store.read() as conn:
        logins = {account.id: account.login for account in accounts.list_all(conn)}
        kept = sessions.tokens(conn, account_named(conn, login).id if login else None)
        rows = [_token_fields(one, logins[one.user_id], desk.now) for one in kept]
    headings = {
        "id": "Id",
        "jeton": "Jeton",
        "compte": "Compte",
        "libelle": "Libellé",
        "role": "Rôle",
        "echeance": "Échéance",
        "etat": "État",
    }
    print_rows(rows, headings, as_json=as_json, empty="Aucun jeton : « oct users token add ».")


@tokens.command()
def revoke(
    token_id: Annotated[int, typer.Argument(metavar="ID", help="Celui de « oct users token list ».")],
    config: ConfigOption = None,
) -> None:
    """Révoque un jeton."""
    from oct.steps.register.accounts import revoke_token

    with at_desk(config) as desk, desk.store.begin() as conn:
        revoke_token(conn, token_id, now=desk.now, actor=desk.actor)
    print(f"Jeton {token_id} révoqué.")


def _fields(account: Account) -> dict[str, Any]:
    state = (
        "fermé" if account.closed_at is not None else "à activer" if account.password_until is not None else "ouvert"
    )
    return {
        "identifiant": account.login,
        "nom": account.name,
        "role": account.role.value,
        "contenus": account.may_read_payloads,
        "ouvert_le": instant(account.created_at),
        "etat": state,
    }


def _token_fields(one: ApiToken, login: str, now: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "jeton": f"{one.prefix}…",
        "compte": login,
        "libelle": one.label,
        "role": one.role.value,
        "contenus": one.may_read_payloads,
        "echeance": instant(one.expires_at),
        "dernier_usage": instant(one.used_at),
        "etat": _state(one, now),
    }


def _state(one: ApiToken, now: int) -> str:
    return "révoqué" if one.revoked_at is not None else "échu" if one.expires_at <= now else "valable"
