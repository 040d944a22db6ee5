"""The web door as a listener: where it listens, what it refuses to, how it stops (P5, H9)."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from fastapi import FastAPI

from oct.bootstrap import open_workshop
from oct.crypto.atrest import create_master_key
from oct.crypto.private_files import write_key
from oct.errors import ConfigurationError
from oct.programs import console, embedded
from oct.settings import load
from oct.trace.heads import create_key
from oct.web.server import WebServer
from tests.adapters.web.rig import PKI


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ask(authority: trustme.CA) -> Callable[[str], bytes]:
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def asked(url: str) -> bytes:
        with urllib.request.urlopen(url, timeout=20, context=context if url.startswith("https") else None) as answer:
            return bytes(answer.read())

    return asked


def settings_of(home: Path, url: str, more: str) -> Any:
    """A configuration whose keys are there."""
    (home / "keys" / "master").mkdir(parents=True)
    for name in ("oct.key", "oct.pem"):
        shutil.copy(PKI / name, home / "keys")
    create_master_key(home / "keys" / "master" / "essai.master")
    (home / "keys" / "pseudonymes").mkdir()
    write_key(home / "keys" / "pseudonymes" / "essai.pseudonyme")
    (home / "keys" / "journal").mkdir()
    create_key(home / "keys" / "journal", "essai")
    (home / "oct.toml").write_text(f'[store]\nurl = "{url}"\n[smtp]\nlisten = ["127.0.0.1:0"]\n{more}')
    return load(home / "oct.toml", {}).settings


def app_of(answer: Callable[[], str]) -> FastAPI:
    app = FastAPI()
    app.get("/")(answer)
    return app


def served(server: WebServer, visit: Callable[[list[int]], Any]) -> Any:
    """What a visit gives while the server listens."""

    async def run() -> Any:
        await server.start()
        try:
            return await asyncio.to_thread(visit, server.ports)
        finally:
            await server.stop(8)

    return asyncio.run(run())


def test_it_listens_at_several_addresses_with_tls_and_without(tls: ssl.SSLContext, ask: Callable[[str], bytes]) -> None:
    server = WebServer(["tls://127.0.0.1:0", "127.0.0.1:0"], app_of(lambda: "bonjour"), tls=tls)
    both = served(server, lambda ports: [ask(f"https://127.0.0.1:{ports[0]}/"), ask(f"http://127.0.0.1:{ports[1]}/")])
    assert both == [b'"bonjour"', b'"bonjour"']


def test_it_leaves_signals_alone() -> None:
    server = WebServer(["127.0.0.1:0"], app_of(lambda: "bonjour"))

    def handlers() -> list[Any]:
        return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    async def run() -> tuple[list[Any], list[Any], list[Any]]:
        before = handlers()
        await server.start()
        during = handlers()
        await server.stop(8)
        return before, during, handlers()

    before, during, after = asyncio.run(run())
    assert before == during == after


def test_what_is_under_way_is_answered_when_it_stops(ask: Callable[[str], bytes]) -> None:
    begun, stopping = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        stopping.wait(20)
        return "fini"

    server = WebServer(["127.0.0.1:0"], app_of(slow))

    async def run() -> bytes:
        await server.start()
        asked = asyncio.create_task(asyncio.to_thread(ask, f"http://127.0.0.1:{server.ports[0]}/"))
        await asyncio.to_thread(begun.wait, 20)
        stopped = asyncio.create_task(server.stop(8))
        await asyncio.sleep(0)
        stopping.set()
        await stopped
        return await asked

    assert json.loads(asyncio.run(run())) == "fini"


def test_a_port_that_is_taken_leaves_none_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = WebServer(["127.0.0.1:0", f"127.0.0.1:{other.getsockname()[1]}"], app_of(lambda: ""))
        with pytest.raises(OSError, match="in use"):
            asyncio.run(server.start())
        assert server.ports == []


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:80", ":0", "[::]:0", "oct.example:80"])
def test_it_does_not_speak_in_clear_where_others_listen(address: str) -> None:
    with pytest.raises(ConfigurationError, match="web-sans-tls"):
        WebServer([address], app_of(lambda: ""))
    WebServer([address], app_of(lambda: ""), proxies=["10.0.0.0/8"])


def test_tls_wants_a_certificate() -> None:
    with pytest.raises(ConfigurationError, match="tls-absent"):
        WebServer(["tls://127.0.0.1:0"], app_of(lambda: ""))


def test_the_role_web_is_the_console_alone_and_embedded_has_it_when_it_has_an_address(
    sqlite_url: str, tmp_path: Path, ask: Callable[[str], bytes]
) -> None:
    settings = settings_of(tmp_path / "oct", sqlite_url, '[web]\nlisten = ["127.0.0.1:0"]\n')

    async def visited(make: Any) -> tuple[bytes, list[int]]:
        program = make(settings, open_workshop(settings))
        await program.start()
        try:
            return await asyncio.to_thread(ask, f"http://127.0.0.1:{program.web_ports[0]}/ready"), program.ports
        finally:
            await program.stop()

    said, ports = asyncio.run(visited(console))
    assert (said.decode(), ports) == ("prêt\n", [])
    said, ports = asyncio.run(visited(embedded))
    assert (said.decode(), len(ports)) == ("prêt\n", 1)


def test_without_an_address_there_is_no_console(sqlite_url: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "oct", sqlite_url, "")
    workshop = open_workshop(settings)
    with pytest.raises(ConfigurationError, match="web-sans-adresse"):
        console(settings, workshop)
    assert embedded(settings, workshop).web_ports == []
    workshop.store.close()


def test_what_a_server_in_front_says_of_its_client_is_believed_from_there_alone(
    sqlite_url: str, tmp_path: Path
) -> None:
    def forwarded(proxies: str) -> str:
        home = tmp_path / proxies.replace("/", "-")
        more = f'[web]\nlisten = ["127.0.0.1:0"]\nproxies = ["{proxies}"]\nprobes = ["203.0.113.9"]\n'
        settings = settings_of(home, sqlite_url, more)

        async def run() -> str:
            program = console(settings, open_workshop(settings))
            await program.start()
            try:
                return await asyncio.to_thread(asked, program.web_ports[0])
            finally:
                await program.stop()

        return asyncio.run(run())

    def asked(port: int) -> str:
        headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/ready", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return f"{answer.status} {'strict-transport-security' in answer.headers}"
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code} {'strict-transport-security' in error.headers}"

    assert forwarded("127.0.0.0/8") == "200 True"
    assert forwarded("10.0.0.0/8") == "404 False"
