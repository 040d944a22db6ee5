"""The web door and peers that hold it (H2): silent, slow, many; honest ones are served meanwhile."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from oct.web import guard
from oct.web.server import WebLimits, WebServer
from tests.adapters.web.rig import Rig

REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def served(app: FastAPI, limits: WebLimits, visit: Callable[[int], Any]) -> Any:
    """What a visit gives while the application is served."""

    async def run() -> Any:
        server = WebServer(["127.0.0.1:0"], app, limits=limits)
        await server.start()
        try:
            return await asyncio.to_thread(visit, server.ports[0])
        finally:
            await server.stop(8)

    return asyncio.run(run())


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def first_line(connection: socket.socket, request: bytes = REQUEST) -> bytes:
    """The first line of an answer; nothing when the connection was closed instead."""
    try:
        connection.sendall(request)
        return connection.makefile("rb").readline().rstrip()
    except ConnectionError:
        return b""


@pytest.mark.parametrize("said", [b"", b"GET /health HTTP/1.1\r\nHost: loc", REQUEST])
def test_who_is_silent_or_slow_to_ask_is_sent_away(sqlite_rig: Rig, said: bytes) -> None:
    """Also after an answer."""

    def visit(port: int) -> bytes:
        with connected(port) as peer:
            peer.sendall(said)
            return peer.makefile("rb").read()

    answer = served(sqlite_rig.app, WebLimits(head_seconds=0.2), visit)
    assert answer.startswith(b"HTTP/1.1 200" if said == REQUEST else b"")
    assert bool(answer) == (said == REQUEST)


def test_an_address_has_so_many_places_and_gets_them_back(sqlite_rig: Rig) -> None:
    def visit(port: int) -> list[bytes]:
        with connected(port) as one, connected(port) as two:
            lines = [first_line(one), first_line(two)]
            with connected(port) as three:
                lines.append(first_line(three))
        while True:
            with connected(port) as again:
                line = first_line(again)
            if line:
                return [*lines, line]

    well = b"HTTP/1.1 200 OK"
    assert served(sqlite_rig.app, WebLimits(per_address=2), visit) == [well, well, b"", well]


def test_a_body_that_does_not_come_is_not_waited_for(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_BODY_S", 0.2)
    request = (
        b"POST /connexion HTTP/1.1\r\nHost: localhost\r\nCookie: oct=x\r\nContent-Length: 10\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nabc"
    )

    def visit(port: int) -> bytes:
        with connected(port) as peer:
            return first_line(peer, request)

    assert served(sqlite_rig.app, WebLimits(), visit) == b"HTTP/1.1 408 Request Timeout"


@pytest.mark.parametrize(
    "request_line",
    [b"\x00\x01\x02", b"GET http://[ HTTP/1.1", b"GET / HTTP/eleven", b"GET /%ff%fe HTTP/1.1", b"GET * HTTP/1.1"],
)
def test_bytes_that_are_no_request_get_a_4xx_or_the_door(sqlite_rig: Rig, request_line: bytes) -> None:
    def visit(port: int) -> bytes:
        with connected(port) as peer:
            return first_line(peer, request_line + b"\r\nHost: localhost\r\n\r\n")

    line = served(sqlite_rig.app, WebLimits(), visit)
    assert line == b"" or line.startswith(b"HTTP/1.1 4"), line
