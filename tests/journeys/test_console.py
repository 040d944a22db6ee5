"""The console of a real process, over TLS, as curl sees it: coming in, what is refused, what is left behind (H9)."""

from __future__ import annotations

import http.client
import re
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import update

from oct.store.tables import sessions
from tests.journeys.conftest import Launch
from tests.journeys.tls_console import opened, tls_console
from tests.journeys.waiting import PATIENCE_S
from tests.journeys.world import World, free_port

PHRASE = "trois cigognes au petit matin"
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@dataclass(frozen=True)
class Answer:
    """What curl got."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Curl:
    """A browser: its cookies lie in a file."""

    port: int
    authority: Path
    jar: Path

    def __call__(self, path: str, *options: str, **fields: str) -> Answer:
        """A page, or a form when there are fields."""
        form = [word for name, value in fields.items() for word in ("--data-urlencode", f"{name}={value}")]
        jar = str(self.jar)
        line = ["curl", "-sS", "-i", "--cacert", str(self.authority), "-b", jar, "-c", jar, *options, *form]
        done = subprocess.run(
            [*line, f"https://localhost:{self.port}{path}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.partition("\n\n")
        status, *lines = head.splitlines()
        headers = dict(line.split(": ", 1) for line in lines)
        return Answer(int(status.split()[1]), {name.lower(): value for name, value in headers.items()}, body)

    def post(self, page: str, path: str, *options: str, **fields: str) -> Answer:
        """A form, with the token of the page that it stands on."""
        found = _CSRF.search(self(page).text)
        assert found is not None
        return self(path, *options, csrf=found[1], **fields)

    def fails(self, *options: str) -> str:
        """Why curl could not connect at all."""
        line = ["curl", "-sS", "--cacert", str(self.authority), *options, f"https://localhost:{self.port}/health"]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert done.returncode != 0
        return done.stderr

    def another(self, name: str) -> Curl:
        """Another browser, with the cookies of this one."""
        jar = self.jar.with_name(name)
        jar.write_bytes(self.jar.read_bytes() if self.jar.exists() else b"")
        return Curl(self.port, self.authority, jar)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the console's certificate is."""
    return tmp_path_factory.mktemp("console")


@pytest.fixture(scope="module")
def world(launch: Launch, folder: Path, port: int) -> Iterator[World]:
    """A concentrator with its console."""
    with launch(web=tls_console(folder, port)) as running:
        yield running


@pytest.fixture
def curl(world: World, folder: Path, port: int, tmp_path: Path) -> Curl:
    """A browser without cookies."""
    return Curl(port, folder / "authority.pem", tmp_path / "cookies")


def enter(curl: Curl, login: str, password: str) -> pyotp.TOTP:
    """The first sign-in of an account, whole; its telephone."""
    signed = curl.post("/connexion", "/connexion", identifiant=login, mot_de_passe=password)
    assert (signed.status, signed.headers["location"]) == (303, "/")
    assert curl("/").headers["location"] == "/premiere-connexion"
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', curl("/premiere-connexion").text)
    assert secret is not None
    telephone = pyotp.TOTP(secret[1].replace(" ", ""))
    given = {"mot_de_passe": PHRASE, "encore": PHRASE, "code": telephone.now()}
    assert curl.post("/premiere-connexion", "/premiere-connexion", **given).status == 303
    return telephone


def test_an_auditor_comes_in_over_tls_and_goes_out(world: World, curl: Curl) -> None:
    found = re.search(r"mot de passe (\S+) ", world.oct("users", "add", "anne", "--role", "auditor"))
    assert found is not None
    password = found[1]
    form = curl("/connexion")
    cookie = form.headers["set-cookie"]
    assert cookie.startswith("__Host-oct=")
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert form.headers["strict-transport-security"].startswith("max-age=")
    assert "server" not in form.headers
    assert curl("/connexion", identifiant="anne", mot_de_passe=password).status == 403
    telephone = enter(curl, "anne", password)
    assert curl("/").status == 200
    assert curl("/comptes").status == 403
    stolen = curl.another("stolen")
    assert stolen("/").status == 200
    assert curl.post("/mon-compte", "/deconnexion").headers["location"] == "/connexion"
    assert (stolen("/").status, curl("/").status) == (303, 303)
    for secret in (password, PHRASE, telephone.secret, cookie.split("=")[1].split(";")[0]):
        assert secret not in world.log


def test_a_session_that_is_stolen_or_over_serves_nobody(world: World, curl: Curl) -> None:
    enter(curl, "bruno", opened(world, "bruno"))
    assert curl("/mon-compte").status == 200
    thief = curl.another("thief")
    assert thief("/mon-compte", "--interface", "127.0.0.2").status == 303
    assert curl("/mon-compte").status == 303
    enter(curl.another("other"), "carla", opened(world, "carla"))
    other = curl.another("again")
    other.jar.write_bytes(curl.jar.with_name("other").read_bytes())
    assert other("/mon-compte").status == 200
    with world.store.begin() as conn:
        conn.execute(update(sessions).values(seen_at=sessions.c.seen_at - 31 * 60_000))
    assert other("/mon-compte").headers["location"] == "/connexion?suite=/mon-compte"


def test_passwords_are_not_tried_for_ever(world: World, curl: Curl) -> None:
    wrong = {"identifiant": "personne", "mot_de_passe": "un mot de passe essayé"}
    assert [curl.post("/connexion", "/connexion", **wrong).status for _ in range(6)] == [401] * 5 + [429]
    assert "essayé" not in world.log


def test_it_speaks_tls_1_2_at_least_and_nothing_in_clear(world: World, curl: Curl) -> None:
    assert "SSL" in curl.fails("--tls-max", "1.1") or "TLS" in curl.fails("--tls-max", "1.1")
    assert curl("/health").status == 200
    clear = subprocess.run(
        ["curl", "-sS", f"http://localhost:{curl.port}/health"], capture_output=True, check=False, timeout=PATIENCE_S
    )
    assert clear.returncode != 0
    assert curl("/connexion", "-H", "Host: pirate.example").status == 400


def test_it_stops_cleanly_while_a_browser_stays_connected(world: World, curl: Curl) -> None:
    """The last test of this world."""
    assert "oct_oldest_due_seconds 0.0" in curl("/metrics").text
    context = ssl.create_default_context(cafile=str(curl.authority))
    browser = http.client.HTTPSConnection("localhost", curl.port, context=context, timeout=PATIENCE_S)
    browser.request("GET", "/health")
    assert browser.getresponse().read() == b"vivant\n"
    assert world.terminate() == 0, world.log
    assert "Arrêté." in world.log
    browser.close()
