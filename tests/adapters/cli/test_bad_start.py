"""A start that cannot be: one line that says what to do, exit 2, no traceback, nothing left behind."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import trustme
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from oct.bootstrap import open_workshop
from oct.clock import system_clock
from oct.errors import ConfigurationError
from oct.settings import load
from oct.surroundings import check_clock
from tests.adapters.cli.desk import Office

Spoil = Callable[[Path], str]
"""Spoils an installation; gives lines to add to its configuration."""


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """`oct run` takes the signals of its process over."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def store(url: str) -> Spoil:
    return lambda _: f'[store]\nurl = "{url}"\n'


def without(name: str) -> Spoil:
    def spoil(folder: Path) -> str:
        shutil.rmtree(folder / name)
        return ""

    return spoil


def version(number: str) -> Spoil:
    def spoil(folder: Path) -> str:
        engine = create_engine(f"sqlite:///{folder / 'oct.db'}")
        with engine.begin() as conn:
            conn.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})
        engine.dispose()
        return ""

    return spoil


def tls(certificate: str, key: str) -> Spoil:
    def spoil(folder: Path) -> str:
        for name in ("une", "autre"):
            issued = trustme.CA().issue_cert("porte.example")
            (folder / f"{name}.pem").write_bytes(issued.cert_chain_pems[0].bytes())
            (folder / f"{name}.key").write_bytes(issued.private_key_pem.bytes())
        return f'[smtp]\ntls_certificate = "{certificate}"\ntls_key = "{key}"\n'

    return spoil


def locked_key(folder: Path) -> str:
    """A TLS key with a passphrase: nobody is there to type it."""
    tls("une.pem", "une.key")(folder)
    command = f"openssl pkey -aes128 -passout pass:secret -in {folder}/une.key -out {folder}/fermee.key"
    subprocess.run(command.split(), check=True, capture_output=True)
    return '[smtp]\ntls_certificate = "une.pem"\ntls_key = "fermee.key"\n'


def slips(folder: Path) -> str:
    """What is beside the database is none of ours."""
    (folder / "oct.slips").write_bytes(b"none of ours" * 1000)
    return ""


BAD: dict[str, tuple[Spoil, str]] = {
    "another database": (store("mysql://oct@127.0.0.1/oct"), "L'adresse de la base doit commencer par sqlite:///"),
    "no address": (store("n'importe quoi"), "L'adresse de la base doit commencer par sqlite:///"),
    "a port that is none": (
        store("postgresql+psycopg://oct@127.0.0.1:port/oct"),
        "L'adresse de la base doit commencer",
    ),
    "a server that is not there": (
        store("postgresql+psycopg://oct@127.0.0.1:1/oct"),
        "ne répond pas : vérifiez [store]",
    ),
    "a folder that is not there": (store("sqlite:///ailleurs/oct.db"), "ailleurs n'existe pas : créez-le, ou corrigez"),
    "no database": (store("sqlite:///neuve.db"), "« oct init » l'installe, « oct migrate » ne crée que la base"),
    "a schema behind": (version("0003"), "à la version 0003, le programme attend la version"),
    "a schema ahead": (version("9999"), "une version plus récente du programme l'a mise à jour, installez celle-là"),
    "no master key": (without("keys/master"), "« oct init » en crée une"),
    "no own key": (without("keys"), "« oct init »"),
    "no journal key": (without("keys/journal"), "Aucune clé de journal"),
    "a TLS key of another": (tls("une.pem", "autre.key"), "ne vont pas ensemble"),
    "a TLS key that is missing": (tls("une.pem", "nulle.key"), "nulle.key : fichier ou répertoire introuvable"),
    "a TLS key that is none": (tls("une.pem", "une.pem"), "ne se lisent pas (PEM attendu"),
    "a TLS key with a passphrase": (locked_key, "clé sans phrase secrète"),
    "a broker of another kind": (lambda _: '[queue]\nurl = "amqp://x"\n', '"redis://hôte:6379/0", ou rien'),
    "slips that are none": (slips, "oct.slips n'est pas lisible : mettez-le de côté"),
    "a role on SQLite": (lambda _: "", "demande PostgreSQL"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_start_is_one_line_that_says_what_to_do(case: str, office: Office) -> None:
    spoil, said = BAD[case]
    path = office.folder / "oct.toml"
    path.write_text(spoil(office.folder), encoding="utf-8")
    result = office("run", *(["--role", "smtp"] if case == "a role on SQLite" else []))
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line.startswith("oct : ")
    assert said in line


def test_a_folder_of_temporary_files_too_deep_for_sockets_is_said(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("t" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    result = office("run")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "(TMPDIR) a plus de 75 octets" in result.err


def test_a_port_that_is_taken_is_said_with_its_address(office: Office) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (office.folder / "oct.toml").write_text(f'[smtp]\nlisten = ["127.0.0.1:{port}"]\n', encoding="utf-8")
        result = office("run")
    assert result.code == 2
    assert f"Écoute impossible sur 127.0.0.1:{port} : un autre programme y écoute déjà." in result.err


@pytest.fixture
def unprivileged(office: Office) -> Iterator[Office]:
    """The installation of a user who is not root, whom nothing is forbidden, and commands run as that user."""
    office("config", "--check")  # what is imported later may lie where that user cannot read
    if os.geteuid() != 0:
        yield office
        return
    nobody = pwd.getpwnam("nobody")
    for path in (office.folder, *office.folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    for path in office.folder.parents:
        path.chmod(path.stat().st_mode | 0o005)
    os.setegid(nobody.pw_gid)
    os.seteuid(nobody.pw_uid)
    yield office
    os.seteuid(0)
    os.setegid(0)


@pytest.mark.parametrize(
    ("place", "mode", "said"),
    [
        ("oct.db", 0o444, "doivent pouvoir être lus et écrits"),
        ("oct.slips", 0o444, "oct.slips et son répertoire doivent"),
        (".", 0o555, "doivent pouvoir être lus et écrits"),
        ("keys", 0o000, "keys ne peut pas être lu : donnez-en le droit"),
        ("keys/oct.key", 0o000, "vérifiez le fichier, ses droits"),
    ],
)
def test_what_may_not_be_read_or_written_is_said(place: str, mode: int, said: str, unprivileged: Office) -> None:
    path = unprivileged.folder / place
    path.touch()
    before = path.stat().st_mode
    path.chmod(mode)
    result = unprivileged("run")
    path.chmod(before)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert said in line


def test_a_clock_that_is_minutes_away_from_the_server_s_stops_the_start(postgres_url: str, office: Office) -> None:
    """The bound is five minutes, either way."""
    settings = load(office.folder / "oct.toml", {}).settings
    settings = settings.model_copy(update={"store": settings.store.model_copy(update={"url": postgres_url})})
    for away, refused in ((0, False), (-4, False), (6, True), (-6, True)):
        workshop = open_workshop(settings, clock=lambda away=away: system_clock() + away * 60_000)  # type: ignore[misc]
        with pytest.raises(ConfigurationError, match="horloge") if refused else nullcontext():
            check_clock(workshop)
        workshop.store.close()


def test_a_clock_before_what_the_journal_or_the_certificate_knows_is_a_warning(office: Office) -> None:
    """SQLite has no clock of its own to compare with."""
    settings = load(office.folder / "oct.toml", {}).settings
    workshop = open_workshop(settings, clock=lambda: system_clock() - 86_400_000)
    with capture_logs() as logs:
        check_clock(workshop)
    workshop.store.close()
    assert [(one["event"], one["compare"]) for one in logs] == [
        ("horloge-douteuse", "journal"),
        ("horloge-douteuse", "certificat"),
    ]
