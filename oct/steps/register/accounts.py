"""Accounts of the console and tokens of the API, as an administrator opens, changes and closes them (K2).

Used by `oct users` and by the console alike: each deed is one event, under the actor's name, in the transaction given.
What opens an account is told once, as the value given back: here remain a hash or a digest. Fails with RuleError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from oct.crypto.passwords import generate_password, hash_password, token_digest
from oct.domain.rights import Role, rights_of
from oct.errors import RuleError
from oct.store import accounts, events, sessions
from oct.store.accounts import Account
from oct.store.events import Event
from oct.store.sessions import NewToken

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
ONE_TIME_MS = 7 * 86_400_000
"""How long a one-time password serves."""
TOKEN_MARK = "oct_"  # noqa: S105 - what every token begins with, so that leaked ones are found
_TOKEN_BYTES = 32
_PREFIX = 12


@dataclass(frozen=True, slots=True)
class OneTime:
    """A password to be told to its owner, who must change it, and its hash: made outside of the transaction."""

    password: str = field(repr=False)
    hashed: str = field(repr=False)


def one_time(chance: Callable[[int], bytes]) -> OneTime:
    """A new one. `chance(n)` gives n random bytes; takes a tenth of a second."""
    password = generate_password(chance)
    return OneTime(password, hash_password(password))


def open_account(
    conn: Connection, login: str, name: str, role: Role, once: OneTime, *, payloads: bool, now: int, actor: str
) -> int:
    """A new account; its id."""
    if LOGIN.fullmatch(login) is None:
        raise RuleError(
            "identifiant-incorrect", "Identifiant : 2 à 32 lettres minuscules sans accent, chiffres ou « . _ - »."
        )
    account_id = accounts.add(
        conn,
        login=login,
        name=name,
        role=role,
        may_read_payloads=payloads,
        password=once.hashed,
        password_until=now + ONE_TIME_MS,
        now=now,
    )
    _tell(conn, "ouvert", login, now, actor, {"role": role.value, "contenus": payloads})
    return account_id


def account_named(conn: Connection, login: str) -> Account:
    """The account of a login. RuleError when nobody has it."""
    account = accounts.by_login(conn, login)
    if account is None:
        raise RuleError("compte-inconnu", "Aucun compte n'a cet identifiant.")
    return account


def change_account(
    conn: Connection,
    account: Account,
    *,
    now: int,
    actor: str,
    name: str | None = None,
    role: Role | None = None,
    payloads: bool | None = None,
) -> None:
    """Change what is given. The last administrator stays one."""
    given = {"name": name, "role": role, "may_read_payloads": payloads}
    fields = {key: value for key, value in given.items() if value is not None and value != getattr(account, key)}
    if not fields:
        return
    if "role" in fields:
        _check_another_administrator(conn, account)
    accounts.set_fields(conn, account.id, **fields)
    names = {"name": "nom", "role": "role", "may_read_payloads": "contenus"}
    told = {names[key]: value for key, value in fields.items() if key != "name"}
    _tell(conn, "modifie", account.login, now, actor, {"champs": [names[key] for key in fields], **told})


def give_password(conn: Connection, account: Account, once: OneTime, *, now: int, actor: str) -> None:
    """A one-time password in place of the account's own; its sessions end."""
    accounts.set_fields(conn, account.id, password=once.hashed, password_until=now + ONE_TIME_MS)
    sessions.end_sessions(conn, account.id, now)
    _tell(conn, "modifie", account.login, now, actor, {"champs": ["mot de passe"]})


def forget_factor(conn: Connection, account: Account, *, now: int, actor: str) -> None:
    """The second factor was lost: the next sign-in enrols another. The account's sessions end."""
    accounts.remove_factors(conn, account.id)
    sessions.end_sessions(conn, account.id, now)
    _tell(conn, "modifie", account.login, now, actor, {"champs": ["second facteur"]})


def close_account(conn: Connection, account: Account, *, now: int, actor: str) -> None:
    """Nobody signs in by it any more; its sessions and tokens end."""
    if account.closed_at is not None:
        return
    _check_another_administrator(conn, account)
    accounts.set_fields(conn, account.id, closed_at=now)
    sessions.end_sessions(conn, account.id, now)
    sessions.revoke_tokens(conn, account.id, now)
    _tell(conn, "ferme", account.login, now, actor, {})


def issue_token(
    conn: Connection,
    account: Account,
    label: str,
    role: Role,
    text: str,
    *,
    payloads: bool,
    lasts: int,
    now: int,
    actor: str,
) -> None:
    """A token of the API for `lasts` ms, whose text (`token_text`) its owner must keep."""
    if account.closed_at is not None:
        raise RuleError("compte-ferme", "Ce compte est fermé.")
    if not rights_of(role, payloads=payloads) <= rights_of(account.role, payloads=account.may_read_payloads):
        raise RuleError("jeton-trop-fort", "Un jeton ne peut pas avoir plus de droits que son compte.")
    prefix = text[:_PREFIX]
    sessions.add_token(conn, NewToken(account.id, token_digest(text), prefix, label, role, payloads, now, now + lasts))
    data = {"compte": account.login, "jeton": prefix, "role": role.value, "contenus": payloads}
    events.append(conn, [Event(now, "jeton", "ouvert", actor=actor, data=data)])


def token_text(chance: Callable[[int], bytes]) -> str:
    """The text of a new token. `chance(n)` gives n random bytes."""
    return TOKEN_MARK + chance(_TOKEN_BYTES).hex()


def revoke_token(conn: Connection, token_id: int, *, now: int, actor: str, owner: int | None = None) -> None:
    """A token serves no more. RuleError when it did not, or is not `owner`'s (an account's id)."""
    revoked = sessions.revoke_token(conn, token_id, now)
    if revoked is None or owner not in (None, revoked.user_id):
        raise RuleError("jeton-inconnu", "Aucun jeton en service n'a ce numéro.")
    events.append(conn, [Event(now, "jeton", "revoque", actor=actor, data={"jeton": revoked.prefix})])


def _check_another_administrator(conn: Connection, account: Account) -> None:
    others = (one for one in accounts.list_all(conn) if one.id != account.id and one.closed_at is None)
    if account.role is Role.ADMINISTRATOR and not any(one.role is Role.ADMINISTRATOR for one in others):
        raise RuleError("dernier-administrateur", "C'est le dernier administrateur : nommez-en un autre d'abord.")


def _tell(conn: Connection, outcome: str, login: str, now: int, actor: str, data: dict[str, object]) -> None:
    events.append(conn, [Event(now, "compte", outcome, actor=actor, data={"compte": login, **data})])
