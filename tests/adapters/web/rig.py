"""The console on a migrated database, with a clock that tests move, and people who sit at browsers.

Everything real but the listening: requests go to the application as a server would hand them over, and passwords
are hashed at low cost (`conftest.py`).
"""

from __future__ import annotations

import re
import shutil
from base64 import b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import select

from oct.bootstrap import open_workshop
from oct.crypto.atrest import create_master_key
from oct.crypto.private_files import write_key
from oct.domain.rights import Role
from oct.settings import load
from oct.steps.register.accounts import issue_token, token_text
from oct.steps.register.sign_in import SignIn, SignInRules
from oct.steps.register.turned_away import TurnedAway
from oct.steps.workshop import Workshop
from oct.store import accounts
from oct.store.events import Event, from_row, revealed
from oct.store.rows import columns
from oct.store.tables import event_details, events
from oct.web.app import create_app
from oct.web.desk import Desk, WebRules

PKI = Path(__file__).parents[2] / "vectors" / "claims" / "pki"
START = 1_795_000_000_000
PASSWORD = "trois cigognes au petit matin"
SECRET = b"0123456789abcdefghij"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Everything real but the slowness of argon2."""
_HASHED = CHEAP.hash(PASSWORD)
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@dataclass
class Clock:
    """Milliseconds, as a test wants them."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def forward(self, **durations: int) -> None:
        """Later, by so many seconds, minutes, hours or days."""
        units = {"seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}
        self.now += sum(units[name] * count for name, count in durations.items())


@dataclass
class Browser:
    """A person at an address. Redirections are not followed: tests see where they lead."""

    http: TestClient
    clock: Clock
    login: str = ""
    csrf: str = ""
    last: Response = field(default_factory=lambda: Response(200))

    def get(self, path: str, **options: Any) -> Response:
        """A page, whose forms' token is remembered."""
        self.last = self.http.get(path, **options)
        found = _CSRF.search(self.last.text)
        if found is not None:
            self.csrf = found[1]
        return self.last

    def post(self, path: str, **fields: Any) -> Response:
        """A form, with its token unless another is given."""
        self.last = self.http.post(path, data={"csrf": self.csrf, **fields})
        return self.last

    def code(self) -> str:
        """What the telephone shows now."""
        return pyotp.TOTP(b32encode(SECRET).decode()).at(self.clock.now // 1000)

    def sign_in(self, login: str = "", password: str = PASSWORD, code: str | None = None) -> Response:
        """Fills the form in."""
        self.get("/connexion")
        self.login = login or self.login
        given = self.code() if code is None else code
        return self.post("/connexion", identifiant=self.login, mot_de_passe=password, code=given)

    def enter(self) -> Browser:
        """Signs in with a code that has not served, and looks at the home page."""
        self.clock.forward(seconds=30)
        assert self.sign_in().status_code == 303, self.last.text
        self.get("/mon-compte")
        return self


@dataclass
class Rig:
    """The console of a test."""

    workshop: Workshop
    app: FastAPI
    clock: Clock

    def browser(self, login: str = "", *, peer: str = "192.0.2.10", base: str = "https://localhost") -> Browser:
        """Somebody who has not signed in yet."""
        http = TestClient(self.app, base_url=base, client=(peer, 40000), follow_redirects=False)
        return Browser(http, self.clock, login)

    def account(self, login: str, role: Role = Role.OPERATOR, *, payloads: bool = False, enrolled: bool = True) -> int:
        """An account whose password is PASSWORD, and whose telephone knows SECRET when it is `enrolled`."""
        with self.workshop.store.begin() as conn:
            account_id = accounts.add(
                conn,
                login=login,
                name=login.title(),
                role=role,
                may_read_payloads=payloads,
                password=_HASHED,
                password_until=self.clock.now + 1,
                now=self.clock.now,
            )
            if enrolled:
                accounts.set_fields(conn, account_id, password_until=None)
                accounts.propose_factor(conn, account_id, self.workshop.vault.seal(SECRET), self.clock.now)
                waiting = accounts.factor(conn, account_id, confirmed=False)
                assert waiting is not None
                accounts.confirm_factor(conn, account_id, waiting.id, 0, self.clock.now)
            else:
                accounts.set_fields(conn, account_id, password_until=self.clock.now + 86_400_000)
        return account_id

    def signed_in(self, login: str, role: Role = Role.OPERATOR, **given: Any) -> Browser:
        """A new account, signed in."""
        self.account(login, role, **given)
        return self.browser(login).enter()

    def token(self, login: str, role: Role, *, payloads: bool = False, lasts: int = 86_400_000) -> str:
        """A token of the API for an account."""
        text = token_text(self.workshop.chance)
        with self.workshop.store.begin() as conn:
            account = accounts.by_login(conn, login)
            assert account is not None
            issue_token(
                conn, account, "essai", role, text, payloads=payloads, lasts=lasts, now=self.clock.now, actor="essai"
            )
        return text

    def turned_away(self) -> list[Event]:
        """Whom the console and the API did not let in, once it is written down."""
        desk: Desk = self.app.state.desk
        desk.turned_away.write(ended=True)
        return self.events("acces")

    def told(self, *kinds: str) -> list[tuple[str, str, str]]:
        """Kind, outcome and actor of the events of these kinds, in order."""
        return [(event.kind, event.outcome, event.actor) for event in self.events(*kinds)]

    def events(self, *kinds: str) -> list[Event]:
        """The events of these kinds, in order, with who and what of readings."""
        query = select(*columns(events, Event), event_details.c.content).select_from(events.outerjoin(event_details))
        with self.workshop.store.read() as conn:
            rows = conn.execute(query.where(events.c.kind.in_(kinds)).order_by(events.c.id))
            return [revealed(from_row(row[:-1]), row[-1]) for row in rows]


@contextmanager
def console(home: Path, url: str, rules: SignInRules | None = None, web: WebRules | None = None) -> Iterator[Rig]:
    """A concentrator's workshop with its console, on a database that is there."""
    (home / "keys" / "master").mkdir(parents=True)
    for name in ("oct.key", "oct.pem"):
        shutil.copy(PKI / name, home / "keys")
    create_master_key(home / "keys" / "master" / "essai.master")
    (home / "keys" / "pseudonymes").mkdir()
    write_key(home / "keys" / "pseudonymes" / "essai.pseudonyme")
    (home / "oct.toml").write_text(f'[store]\nurl = "{url}"\n[oct]\nname = "Concentrateur essai"\n', encoding="utf-8")
    clock = Clock()
    workshop = open_workshop(load(home / "oct.toml", {}).settings, clock=clock)
    sign_in = SignIn(workshop.store, workshop.vault, clock, workshop.chance, rules or SignInRules())
    desk = Desk(workshop, sign_in, TurnedAway(workshop), web or WebRules())
    yield Rig(workshop, create_app(desk), clock)
    workshop.store.close()
