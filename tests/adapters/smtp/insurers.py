"""The other side as a test bends it: a server of raw sockets that answers, refuses, cuts or falls silent where told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from io import RawIOBase

CUT = b"cut"
SILENT = b"silent"

PLAIN_EHLO = b"250-autre.test\r\n250 8BITMIME\r\n"
TLS_EHLO = b"250-autre.test\r\n250 STARTTLS\r\n"
PIPELINING_EHLO = b"250-autre.test\r\n250 PIPELINING\r\n"


@dataclass(slots=True)
class Insurer:
    """Answers each verb by the first of its list, or the default when the list is empty. `BODY` is the final dot."""

    answers: dict[str, list[bytes]] = field(default_factory=dict)
    ehlo: bytes = PLAIN_EHLO
    tls: ssl.SSLContext | None = None
    """With it, STARTTLS is more than talk."""
    early: bytes = b""
    """What is said after DATA, before the content is read."""
    port: int = 0
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    wires: list[bytes] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    present: RawIOBase | None = None

    def answer(self, verb: str) -> bytes:
        waiting = self.answers.get(verb, [])
        if waiting:
            return waiting.pop(0)
        defaults = {"CONNECT": b"220 autre.test ESMTP\r\n", "EHLO": self.ehlo, "DATA": b"354 allez\r\n"}
        if self.tls is not None:
            defaults["STARTTLS"] = b"220 allez\r\n"
        return defaults.get(verb, b"250 2.0.0 ok\r\n")

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError), sock, ExitStack() as closing:
                self._converse(sock, closing)

    def say(self, unasked: bytes) -> None:
        """Something, to whoever is there."""
        assert self.present is not None
        self.present.write(unasked)

    def _converse(self, sock: socket.socket, closing: ExitStack) -> None:
        self.present = stream = closing.enter_context(sock.makefile("rwb", buffering=0))
        verb = "CONNECT"
        while True:
            answer = self.answer(verb)
            if answer == CUT:
                return
            if answer == SILENT:
                self.released.wait(10)
                return
            stream.write(answer)
            if verb == "STARTTLS" and self.tls is not None:
                if self.answer("TLS") == SILENT:
                    self.released.wait(10)
                    return
                secured = closing.enter_context(self.tls.wrap_socket(sock, server_side=True))
                stream = closing.enter_context(secured.makefile("rwb", buffering=0))
            elif verb == "STARTTLS" and answer.startswith(b"220"):
                stream.read(1)
                stream.write(b"ceci n'est pas TLS\r\n")
                return
            if verb == "DATA" and answer.startswith(b"354"):
                self._read_body(stream)
                verb = "BODY"
                continue
            line = stream.readline()
            if not line:
                return
            command = line.decode("ascii").rstrip()
            self.commands.append(command)
            verb = command.split()[0].upper()
            if verb == "QUIT":
                return

    def _read_body(self, stream: RawIOBase) -> None:
        if self.early:
            stream.write(self.early)
            self.released.wait(0.1)  # it arrives before there is room for the rest of the content
        wire = bytearray()
        while not wire.endswith(b"\r\n.\r\n"):
            some = stream.read(1 << 20)
            if not some:
                raise ConnectionResetError
            wire += some
        self.wires.append(bytes(wire))


@contextmanager
def serving(insurer: Insurer) -> Iterator[Insurer]:
    """The insurer at work on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        insurer.port = listening.getsockname()[1]
        thread = threading.Thread(target=insurer.serve, args=(listening,))
        thread.start()
        try:
            yield insurer
        finally:
            insurer.released.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
