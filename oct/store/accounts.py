"""Accounts of the console and their second factors. Hashes and sealed secrets come in from the steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from oct.crypto.atrest import SealedPayload
from oct.domain.rights import Role
from oct.errors import RuleError
from oct.store.rows import columns
from oct.store.tables import second_factors, users


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. Instants are milliseconds."""

    id: int
    login: str
    name: str
    role: Role
    may_read_payloads: bool
    password: str = field(repr=False)
    """An argon2 hash."""
    password_until: int | None
    """Until when a one-time password serves; None for a password that its owner chose."""
    created_at: int
    closed_at: int | None


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The sealed secret of a second factor. `last_step` was the last one used (RFC 6238)."""

    id: int
    sealed: SealedPayload = field(repr=False)
    created_at: int
    last_step: int


_ACCOUNT = columns(users, Account)


def add(
    conn: Connection,
    *,
    login: str,
    name: str,
    role: Role,
    may_read_payloads: bool,
    password: str,
    password_until: int,
    now: int,
) -> int:
    """A new account; its id. RuleError when the login is taken, by a closed account as well."""
    if by_login(conn, login) is not None:
        raise RuleError("identifiant-pris", f"L'identifiant {login} est déjà pris.")
    row = {
        "login": login,
        "name": name,
        "role": role,
        "may_read_payloads": may_read_payloads,
        "password": password,
        "password_until": password_until,
        "created_at": now,
    }
    return int(conn.execute(insert(users).values(row).returning(users.c.id)).scalar_one())


def by_login(conn: Connection, login: str) -> Account | None:
    """The account of a login, closed or not."""
    return _one(conn, users.c.login == login)


def by_id(conn: Connection, user_id: int) -> Account | None:
    """An account, closed or not."""
    return _one(conn, users.c.id == user_id)


def list_all(conn: Connection) -> list[Account]:
    """Every account, by login."""
    return [account_of(row) for row in conn.execute(select(*_ACCOUNT).order_by(users.c.login)).mappings()]


def set_fields(conn: Connection, user_id: int, **fields: Any) -> None:
    """Change the columns given (name, role, may_read_payloads, password, password_until, closed_at)."""
    if fields:
        conn.execute(update(users).where(users.c.id == user_id).values(fields))


def change_hash(conn: Connection, user_id: int, old: str, new: str) -> None:
    """Another hash of the same password, unless the password was changed meanwhile."""
    conn.execute(update(users).where(users.c.id == user_id, users.c.password == old).values(password=new))


def factor(conn: Connection, user_id: int, *, confirmed: bool) -> SecondFactor | None:
    """The second factor that counts, or the one that waits for its first code."""
    state = second_factors.c.confirmed_at.is_not(None) if confirmed else second_factors.c.confirmed_at.is_(None)
    row = conn.execute(select(second_factors).where(second_factors.c.user_id == user_id, state)).mappings().first()
    if row is None:
        return None
    sealed = SealedPayload(row["master_key"], row["wrapped_key"], row["content"])
    return SecondFactor(row["id"], sealed, row["created_at"], row["last_step"])


def propose_factor(conn: Connection, user_id: int, sealed: SealedPayload, now: int) -> None:
    """A second factor that waits for its first code, in place of another that waited."""
    waiting = second_factors.c.confirmed_at.is_(None)
    conn.execute(delete(second_factors).where(second_factors.c.user_id == user_id, waiting))
    conn.execute(
        insert(second_factors).values(
            user_id=user_id,
            master_key=sealed.key_id,
            wrapped_key=sealed.wrapped_key,
            content=sealed.ciphertext,
            created_at=now,
        )
    )


def confirm_factor(conn: Connection, user_id: int, factor_id: int, step: int, now: int) -> bool:
    """The one that waited counts from now on, and no other; False when it was replaced meanwhile."""
    chosen = (second_factors.c.id == factor_id) & second_factors.c.confirmed_at.is_(None)
    done = conn.execute(update(second_factors).where(chosen).values(confirmed_at=now, last_step=step)).rowcount == 1
    if done:
        others = (second_factors.c.user_id == user_id) & (second_factors.c.id != factor_id)
        conn.execute(delete(second_factors).where(others))
    return done


def use_step(conn: Connection, factor_id: int, step: int) -> bool:
    """Whether a code of this step was never used, nor one of a later step; from now on it was."""
    unused = (second_factors.c.id == factor_id) & (second_factors.c.last_step < step)
    return conn.execute(update(second_factors).where(unused).values(last_step=step)).rowcount == 1


def remove_factors(conn: Connection, user_id: int) -> None:
    """The next sign-in enrols a new one."""
    conn.execute(delete(second_factors).where(second_factors.c.user_id == user_id))


def account_of(row: RowMapping) -> Account:
    """The account in a row that holds its columns."""
    values = {column.name: row[column.name] for column in _ACCOUNT}
    return Account(**{**values, "role": Role(row["role"])})


def _one(conn: Connection, condition: Any) -> Account | None:
    row = conn.execute(select(*_ACCOUNT).where(condition)).mappings().first()
    return None if row is None else account_of(row)
