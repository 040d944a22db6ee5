"""Sessions of the console, tokens of the API, and who must wait after failed sign-ins. Digests only, never a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from oct.domain.rights import Role
from oct.store.accounts import Account, by_id
from oct.store.rows import columns
from oct.store.tables import api_tokens, lockouts, sessions


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in from an address. Instants are milliseconds."""

    id: int
    user_id: int
    peer: str
    created_at: int
    seen_at: int
    expires_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token; `prefix` is all that is known of its text."""

    id: int
    user_id: int
    prefix: str
    label: str
    role: Role
    may_read_payloads: bool
    created_at: int
    expires_at: int
    used_at: int | None
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to keep."""

    user_id: int
    digest: bytes
    prefix: str
    label: str
    role: Role
    may_read_payloads: bool
    created_at: int
    expires_at: int


_SESSION = columns(sessions, Session)
_TOKEN = columns(api_tokens, ApiToken)


def open_session(conn: Connection, digest: bytes, user_id: int, peer: str, now: int, expires_at: int) -> None:
    """A session that begins."""
    conn.execute(
        insert(sessions).values(
            digest=digest, user_id=user_id, peer=peer, created_at=now, seen_at=now, expires_at=expires_at
        )
    )


def session(conn: Connection, digest: bytes) -> tuple[Session, Account] | None:
    """The session of a cookie and whose it is, over or not."""
    row = conn.execute(select(*_SESSION).where(sessions.c.digest == digest)).first()
    account = None if row is None else by_id(conn, row.user_id)
    return None if row is None or account is None else (Session(*row), account)


def open_sessions(conn: Connection, user_id: int, seen_since: int, now: int) -> list[Session]:
    """The sessions of an account that are not over, the newest first."""
    alive = (sessions.c.ended_at.is_(None)) & (sessions.c.seen_at > seen_since) & (sessions.c.expires_at > now)
    rows = conn.execute(select(*_SESSION).where(sessions.c.user_id == user_id, alive).order_by(sessions.c.id.desc()))
    return [Session(*row) for row in rows]


def has_come_from(conn: Connection, user_id: int, peer: str, since: int) -> bool:
    """Whether an account has signed in from this very address after an instant."""
    one = (sessions.c.user_id == user_id) & (sessions.c.peer == peer) & (sessions.c.created_at > since)
    return conn.execute(select(sessions.c.id).where(one).limit(1)).first() is not None


def touch_session(conn: Connection, session_id: int, now: int) -> None:
    """It was used."""
    conn.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


def change_digest(conn: Connection, session_id: int, digest: bytes) -> None:
    """Its cookie is another from now on."""
    conn.execute(update(sessions).where(sessions.c.id == session_id).values(digest=digest))


def end_session(conn: Connection, user_id: int, session_id: int, now: int) -> bool:
    """One session of an account ends; False when it was over, or another's."""
    one = (sessions.c.id == session_id) & (sessions.c.user_id == user_id) & sessions.c.ended_at.is_(None)
    return conn.execute(update(sessions).where(one).values(ended_at=now)).rowcount == 1


def end_sessions(conn: Connection, user_id: int, now: int, *, but: int = 0) -> None:
    """Every session of an account ends, except `but`."""
    others = (sessions.c.user_id == user_id) & (sessions.c.id != but) & sessions.c.ended_at.is_(None)
    conn.execute(update(sessions).where(others).values(ended_at=now))


def forget_sessions(conn: Connection, before: int) -> None:
    """Rows of sessions that expired before an instant go; their events stay."""
    conn.execute(delete(sessions).where(sessions.c.expires_at < before))


def add_token(conn: Connection, new: NewToken) -> int:
    """Its id."""
    row = {name: getattr(new, name) for name in new.__match_args__}
    return int(conn.execute(insert(api_tokens).values(row).returning(api_tokens.c.id)).scalar_one())


def token(conn: Connection, digest: bytes) -> tuple[ApiToken, Account] | None:
    """A token and whose it is, valid or not."""
    row = conn.execute(select(*_TOKEN).where(api_tokens.c.digest == digest)).mappings().first()
    account = None if row is None else by_id(conn, row["user_id"])
    return None if row is None or account is None else (ApiToken(**{**row, "role": Role(row["role"])}), account)


def tokens(conn: Connection, user_id: int | None = None) -> list[ApiToken]:
    """The tokens of an account, or of all, the newest first."""
    query = select(*_TOKEN).order_by(api_tokens.c.id.desc())
    if user_id is not None:
        query = query.where(api_tokens.c.user_id == user_id)
    return [ApiToken(**{**row, "role": Role(row["role"])}) for row in conn.execute(query).mappings()]


def touch_token(conn: Connection, token_id: int, now: int) -> None:
    """It was used."""
    conn.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(used_at=now))


def revoke_token(conn: Connection, token_id: int, now: int) -> ApiToken | None:
    """A token serves no more; None when it did not."""
    one = (api_tokens.c.id == token_id) & api_tokens.c.revoked_at.is_(None)
    row = conn.execute(update(api_tokens).where(one).values(revoked_at=now).returning(*_TOKEN)).mappings().first()
    return None if row is None else ApiToken(**{**row, "role": Role(row["role"])})


def revoke_tokens(conn: Connection, user_id: int, now: int) -> None:
    """Every token of an account serves no more."""
    own = (api_tokens.c.user_id == user_id) & api_tokens.c.revoked_at.is_(None)
    conn.execute(update(api_tokens).where(own).values(revoked_at=now))


def locked_until(conn: Connection, subjects: Sequence[bytes]) -> int:
    """Until when the last of these must wait; 0 when none has to."""
    latest = conn.execute(select(func.max(lockouts.c.until)).where(lockouts.c.subject.in_(subjects))).scalar_one()
    return latest or 0


def count_failure(conn: Connection, subject: bytes, now: int, memory: int) -> int:
    """One failure more; how many now. Those of before `memory` ms without any are forgotten."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    row = dialect.insert(lockouts).values(subject=subject, failures=1, last_at=now, until=0)
    recent = lockouts.c.last_at > now - memory
    counted = row.on_conflict_do_update(
        index_elements=["subject"],
        set_={"failures": case((recent, lockouts.c.failures + 1), else_=1), "last_at": now},
    )
    return int(conn.execute(counted.returning(lockouts.c.failures)).scalar_one())


def lock(conn: Connection, subject: bytes, until: int) -> None:
    """It must wait."""
    conn.execute(update(lockouts).where(lockouts.c.subject == subject).values(until=until))


def forgive(conn: Connection, subject: bytes) -> None:
    """Its failures are forgotten."""
    conn.execute(delete(lockouts).where(lockouts.c.subject == subject))


def forget_failures(conn: Connection, before: int) -> None:
    """Failures older than an instant are forgotten."""
    conn.execute(delete(lockouts).where(lockouts.c.last_at < before, lockouts.c.until < before))
