"""A real door on a real loop, and peers that speak to it by raw sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import trustme

from oct.smtp.door import Door
from oct.smtp.transaction import Reply, Transaction

T = TypeVar("T")

OURS = "01999@oct.test"


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def begin(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()


@dataclass(slots=True)
class House:
    """What stands behind the door under test: it keeps what it is given and says yes, unless a test says otherwise."""

    received: list[Transaction] = field(default_factory=list)
    screened: list[tuple[str, str]] = field(default_factory=list)
    answer: Callable[[Transaction], Coroutine[Any, Any, Reply]] | None = None
    refusal: Reply | None = None
    refused: list[tuple[str, int, str]] = field(default_factory=list)

    def note(self, peer: str, reply: Reply) -> None:
        self.refused.append((peer, reply.code, reply.text))

    async def accept(self, transaction: Transaction) -> Reply:
        self.received.append(transaction)
        if self.answer is not None:
            return await self.answer(transaction)
        return Reply(250, f"2.0.0 Message recu, trace {len(self.received):05}")

    async def knows(self, address: str) -> bool:
        return address.endswith("@oct.test")

    async def screen(self, sender: str, peer: str) -> Reply | None:
        self.screened.append((sender, peer))
        return self.refusal

    async def authenticate(self, login: str, password: str) -> bool:
        return (login, password) == ("cabinet", "ouvre-toi")


@dataclass(slots=True)
class Opened:
    """A running door and its house."""

    door: Door
    house: House
    loop: Loop

    @property
    def port(self) -> int:
        return self.door.ports[0]

    def peer(self, source: str = "127.0.0.1", *, port: int | None = None) -> Peer:
        return Peer(port or self.port, source)


class Peer:
    """A raw socket that can say anything and reads whole replies."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), 10, (source, 0))
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def say(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def reply(self) -> bytes:
        """One whole reply, or nothing when the door has closed."""
        whole = b""
        while True:
            while b"\n" not in self._unread:
                octets = self.sock.recv(65536)
                if not octets:
                    return whole
                self._unread += octets
            line, _, self._unread = self._unread.partition(b"\n")
            whole += line + b"\n"
            if line[3:4] != b"-":
                return whole

    def ask(self, command: bytes) -> bytes:
        self.say(command + b"\r\n")
        return self.reply()

    def greet(self) -> Self:
        assert self.reply().startswith(b"220 ")
        assert self.ask(b"EHLO cabinet.test").startswith(b"250")
        return self

    def envelope(self) -> Self:
        """Up to the 354."""
        assert self.ask(b"MAIL FROM:<cabinet@ps.test>").startswith(b"250 ")
        assert self.ask(b"RCPT TO:<" + OURS.encode() + b">").startswith(b"250 ")
        assert self.ask(b"DATA").startswith(b"354 ")
        return self

    def secure(self, context: ssl.SSLContext) -> Self:
        self.sock = context.wrap_socket(self.sock, server_hostname="127.0.0.1")
        return self

    def ended(self) -> bool:
        """Whether the door closes, once all that it said is read."""
        while self.reply():
            pass
        return True


async def until(holds: Callable[[], bool]) -> None:
    """Wait, ten seconds at most, for what another thread does."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(name).configure_cert(context)
    return context


Opener = Callable[..., Opened]
