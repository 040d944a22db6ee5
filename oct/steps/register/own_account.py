"""What a person does with an account of the console: choose a password, enrol or renew the second factor.

Everything that changes what opens the account ends its other sessions. Fails with RuleError whose sentence is for the
person.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from oct.crypto.atrest import Vault
from oct.crypto.passwords import hash_password
from oct.crypto.totp import generate_secret, matching_step
from oct.domain.rights import Identity
from oct.errors import RuleError
from oct.store import accounts, events, sessions
from oct.store.engine import Store
from oct.store.events import Event

SHORTEST, LONGEST = 12, 128
"""Signs of a password."""


def check_password(password: str, login: str) -> None:
    """RuleError when a password is too weak to be taken."""
    if not SHORTEST <= len(password) <= LONGEST or not password.isprintable():
        raise RuleError("mot-de-passe-incorrect", f"Le mot de passe doit avoir {SHORTEST} à {LONGEST} signes.")
    if login.lower() in password.lower() or len(set(password)) < 5:
        raise RuleError(
            "mot-de-passe-faible", "Le mot de passe ne doit pas contenir l'identifiant ni répéter les mêmes signes."
        )


def choose_password(store: Store, account_id: int, password: str, *, now: int, session_id: int) -> None:
    """The account's own password from now on; its other sessions end."""
    with store.read() as conn:
        account = accounts.by_id(conn, account_id)
    assert account is not None
    check_password(password, account.login)
    hashed = hash_password(password)
    with store.begin() as conn:
        accounts.set_fields(conn, account_id, password=hashed, password_until=None)
        sessions.end_sessions(conn, account_id, now, but=session_id)
        events.append(conn, [_changed(account.login, "mot de passe", now)])


def propose_factor(conn: Connection, vault: Vault, chance: Callable[[int], bytes], account_id: int, now: int) -> None:
    """A new second factor, which counts once its first code is given. `chance(n)` gives n random bytes."""
    accounts.propose_factor(conn, account_id, vault.seal(generate_secret(chance)), now)


def proposed_secret(conn: Connection, vault: Vault, account_id: int) -> bytes | None:
    """The secret to be enrolled, to show to its owner; None when none waits."""
    factor = accounts.factor(conn, account_id, confirmed=False)
    return None if factor is None else vault.open(factor.sealed)


def confirm_factor(store: Store, vault: Vault, account_id: int, code: str, *, now: int, session_id: int) -> None:
    """The proposed second factor counts from now on; the account's other sessions end. RuleError for a wrong code."""
    with store.read() as conn:
        account = accounts.by_id(conn, account_id)
        factor = accounts.factor(conn, account_id, confirmed=False)
    assert account is not None
    step = None if factor is None else matching_step(vault.open(factor.sealed), code, now)
    if factor is None or step is None:
        raise RuleError("code-incorrect", "Le code n'est pas celui qu'affiche l'application : recommencez.")
    with store.begin() as conn:
        if accounts.confirm_factor(conn, account_id, factor.id, step, now):
            sessions.end_sessions(conn, account_id, now, but=session_id)
            events.append(conn, [_changed(account.login, "second facteur", now)])


def close_session(conn: Connection, identity: Identity, session_id: int, now: int) -> None:
    """One of the account's sessions ends. RuleError when it is over, or another's."""
    if not sessions.end_session(conn, identity.account_id, session_id, now):
        raise RuleError("session-inconnue", "Cette session est déjà fermée.")
    events.append(conn, [Event(now, "session", "fermee", actor=identity.actor)])


def _changed(login: str, what: str, now: int) -> Event:
    return Event(now, "compte", "modifie", actor=login, data={"compte": login, "champs": [what]})
