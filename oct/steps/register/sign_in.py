"""Who comes in to the console and the API, and for how long (H9).

A sign-in takes a login, a password and, once it is enrolled, a code of the second factor, all at once: a refusal says
nothing of which was wrong, and costs the same time for a login that nobody has. Failures count against the login and
against the address; beyond a few, each one makes both wait, twice as long every time up to a cap, with the same answer
whether the login exists or not. An address from which the account has signed in lately answers for itself, so that a
stranger who tries passwords does not keep its owner out.

A session is a random token that only the browser has; here lies its digest. It ends when it is idle for long, at the
latest after a day's work, when its owner signs out, or when it shows up at another address. What a person did or was
refused is an event of that person's login (K2).

Blocking; used from threads. StoreError when the database is away, or when too many passwords are looked at already.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection

from oct.clock import Clock
from oct.crypto.atrest import Vault
from oct.crypto.passwords import hash_password, needs_rehash, token_digest, verify_password
from oct.crypto.totp import matching_step
from oct.domain.rights import Identity, Right, rights_of
from oct.doors.admission import address_group
from oct.errors import StoreError
from oct.steps.register.own_account import propose_factor
from oct.store import accounts, events, sessions
from oct.store.accounts import Account, SecondFactor
from oct.store.engine import Store
from oct.store.events import Event

_TOKEN_BYTES = 32
_TOUCH_MS = 60_000
"""A session in use is written down as such once a minute."""
_REMEMBERED_MS = 30 * 86_400_000
"""How long an address that an account has signed in from is remembered."""
_LOOKED_AT, _QUEUE_S = 2, 5.0
"""Passwords looked at together (64 MiB each), and how long one waits for its turn."""


@dataclass(frozen=True, slots=True)
class SignInRules:
    """Durations are milliseconds. After `free` failures each one makes wait: `first`, then twice as long."""

    idle: int = 30 * 60_000
    longest: int = 12 * 3_600_000
    bound: bool = True
    """Whether a session ends when it shows up at another address."""
    free: int = 5
    free_address: int = 20
    first: int = 30_000
    cap: int = 15 * 60_000
    memory: int = 6 * 3_600_000


@dataclass(frozen=True, slots=True)
class Present:
    """Who holds a session, and what is to be chosen before anything else."""

    session_id: int
    identity: Identity
    needs_password: bool
    needs_factor: bool

    @property
    def unfinished(self) -> bool:
        """Whether the first sign-in is not completed."""
        return self.needs_password or self.needs_factor


@dataclass(frozen=True, slots=True)
class Denied:
    """Nobody comes in; `locked` when nobody was looked at either."""

    locked: bool


class SignIn:
    """The doorkeeper of one process. `chance(n)` gives n random bytes."""

    def __init__(
        self, store: Store, vault: Vault, clock: Clock, chance: Callable[[int], bytes], rules: SignInRules
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._chance = chance
        self.rules = rules
        self._turns = threading.BoundedSemaphore(_LOOKED_AT)

    def new_token(self) -> str:
        """A text that nobody guesses."""
        return self._chance(_TOKEN_BYTES).hex()

    def enter(self, login: str, password: str, code: str, peer: str) -> str | Denied:
        """Signs in: the token of a new session."""
        now = self._clock()
        with self._store.read() as conn:
            account = accounts.by_login(conn, login)
            factor = None if account is None else accounts.factor(conn, account.id, confirmed=True)
            subjects = self._subjects(conn, account, login, peer, now)
            if sessions.locked_until(conn, subjects) > now:
                return Denied(locked=True)
        right = self._knows_password(account, password, now)
        step = None if factor is None else matching_step(self._vault.open(factor.sealed), code, now)
        with self._store.begin() as conn:
            if account is not None and right and _proven(conn, factor, step):
                sessions.forgive(conn, subjects[0])
                if needs_rehash(account.password):
                    accounts.change_hash(conn, account.id, account.password, hash_password(password))
                return self._open(conn, account, factor, peer, now)
            self._count(conn, account, subjects, peer, now)
        return Denied(locked=False)

    def identify(self, token: str, peer: str) -> Present | None:
        """Who holds the session of a token, if it is one that still counts."""
        if not token:
            return None
        now = self._clock()
        with self._store.read() as conn:
            found = sessions.session(conn, token_digest(token))
            if found is None:
                return None
            session, account = found
            factor = accounts.factor(conn, account.id, confirmed=True)
        if session.ended_at is not None or account.closed_at is not None:
            return None
        if now >= min(session.expires_at, session.seen_at + self.rules.idle):
            self._end(account, session.id, peer, now, "périmée")
            return None
        if self.rules.bound and address_group(peer) != address_group(session.peer):
            self._end(account, session.id, peer, now, "autre adresse")
            return None
        if now - session.seen_at >= _TOUCH_MS:
            with self._store.begin() as conn:
                sessions.touch_session(conn, session.id, now)
        return Present(session.id, identity_of(account), account.password_until is not None, factor is None)

    def identify_token(self, token: str) -> Identity | None:
        """Whose API token this is, with the rights that both have."""
        now = self._clock()
        with self._store.read() as conn:
            found = sessions.token(conn, token_digest(token))
        if found is None:
            return None
        held, account = found
        if held.revoked_at is not None or now >= held.expires_at or account.closed_at is not None:
            return None
        if held.used_at is None or now - held.used_at >= _TOUCH_MS:
            with self._store.begin() as conn:
                sessions.touch_token(conn, held.id, now)
        own = identity_of(account)
        rights = rights_of(held.role, payloads=held.may_read_payloads) & own.rights
        return Identity(own.account_id, own.login, own.name, held.role, rights, held.prefix, held.label)

    def holder_of(self, token: str) -> str:
        """Whose session or API token this is or was: the login; empty when nobody's."""
        with self._store.read() as conn:
            digest = token_digest(token)
            found = sessions.session(conn, digest) or sessions.token(conn, digest)
        return "" if found is None else found[1].login

    def leave(self, present: Present) -> None:
        """Signs out."""
        now = self._clock()
        with self._store.begin() as conn:
            if sessions.end_session(conn, present.identity.account_id, present.session_id, now):
                events.append(conn, [Event(now, "deconnexion", "fait", actor=present.identity.actor)])

    def refused(self, identity: Identity, right: Right, place: str) -> None:
        """Writes down that somebody asked for what the role does not give; `place` is the address asked for (J4)."""
        data = {"droit": right.value, "page": place} | ({"jeton": identity.token} if identity.token else {})
        with self._store.begin() as conn:
            events.append(conn, [Event(self._clock(), "acces", "refuse", actor=identity.actor, data=data)])

    def ask_again(self, identity: Identity, password: str, peer: str) -> Denied | None:
        """The password, once more, before what matters; a wrong one counts like a failed sign-in."""
        now = self._clock()
        with self._store.read() as conn:
            account = accounts.by_id(conn, identity.account_id)
            subjects = self._subjects(conn, account, identity.login, peer, now)
            if sessions.locked_until(conn, subjects) > now:
                return Denied(locked=True)
        if self._knows_password(account, password, now):
            return None
        with self._store.begin() as conn:
            self._count(conn, account, subjects, peer, now)
        return Denied(locked=False)

    def renew(self, present: Present) -> str:
        """Another token for a session whose holder may do more from now on."""
        token = self.new_token()
        with self._store.begin() as conn:
            sessions.change_digest(conn, present.session_id, token_digest(token))
        return token

    def _knows_password(self, account: Account | None, password: str, now: int) -> bool:
        """As long for a login that nobody has."""
        with self._turn():
            known = verify_password(self._nobody if account is None else account.password, password)
        if account is None or account.closed_at is not None:
            return False
        return known and (account.password_until is None or now < account.password_until)

    def _open(self, conn: Connection, account: Account, factor: SecondFactor | None, peer: str, now: int) -> str:
        token = self.new_token()
        sessions.forget_sessions(conn, now - _REMEMBERED_MS)
        sessions.forget_failures(conn, now - self.rules.memory)
        sessions.open_session(conn, token_digest(token), account.id, peer, now, now + self.rules.longest)
        if factor is None:
            propose_factor(conn, self._vault, self._chance, account.id, now)
        events.append(conn, [Event(now, "connexion", "fait", actor=account.login, data={"adresse": peer})])
        return token

    def _subjects(
        self, conn: Connection, account: Account | None, login: str, peer: str, now: int
    ) -> tuple[bytes, ...]:
        """What failures are counted against: the login, or the login at an address that it is known from, and the
        address."""
        known = account is not None and sessions.has_come_from(conn, account.id, peer, now - _REMEMBERED_MS)
        return _subject("login", login, peer if known else ""), _subject("address", address_group(peer))

    def _count(
        self, conn: Connection, account: Account | None, subjects: tuple[bytes, ...], peer: str, now: int
    ) -> None:
        actor = "" if account is None else account.login
        failed = [Event(now, "connexion", "refuse", actor=actor, data={"adresse": peer})]
        for subject, what, free in zip(
            subjects, ("identifiant", "adresse"), (self.rules.free, self.rules.free_address), strict=True
        ):
            beyond = sessions.count_failure(conn, subject, now, self.rules.memory) - free
            if beyond >= 0:
                wait = min(self.rules.cap, self.rules.first << min(beyond, 20))
                sessions.lock(conn, subject, now + wait)
                data = {"adresse": peer, "objet": what, "secondes": wait // 1000}
                failed.append(Event(now, "verrou", "pose", actor=actor, data=data))
        events.append(conn, failed)

    def _end(self, account: Account, session_id: int, peer: str, now: int, why: str) -> None:
        """Its cookie came too late, or from another address than the one that signed in: written down once."""
        with self._store.begin() as conn:
            if sessions.end_session(conn, account.id, session_id, now):
                data = {"adresse": peer, "motif": why}
                events.append(conn, [Event(now, "session", "refuse", actor=account.login, data=data)])

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_QUEUE_S):
            raise StoreError("connexions-nombreuses", "Trop de connexions à la fois : réessayez dans un instant.")
        try:
            yield
        finally:
            self._turns.release()

    @cached_property
    def _nobody(self) -> str:
        """What the password of an unknown login is compared with."""
        return hash_password(self._chance(16).hex())


def identity_of(account: Account) -> Identity:
    """Who an account is, with all its rights."""
    rights = rights_of(account.role, payloads=account.may_read_payloads)
    return Identity(account.id, account.login, account.name, account.role, rights)


def _proven(conn: Connection, factor: SecondFactor | None, step: int | None) -> bool:
    """Whether the second factor, where there is one, was shown: by a code that has not served."""
    return factor is None or (step is not None and accounts.use_step(conn, factor.id, step))


def _subject(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
