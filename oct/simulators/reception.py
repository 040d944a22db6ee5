"""An SMTP server for the simulated world: it takes mail on a thread of its own and hands it to a depot.

An own protocol instead of aiosmtpd, for two reasons: an insurer of a benchmark must cost a fraction of what is
measured (aiosmtpd reads DATA line by line, five times dearer), and it has to misbehave on purpose (`Temper`).
It speaks what a client needs (RFC 5321 with PIPELINING, SIZE, 8BITMIME), in clear, on the loopback.

Messages that are complete at the same turn of the loop share one `commit` of the depot, and are answered after it.
Bytes that are no SMTP get a 500; a connection that breaks loses only what was not answered 250.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from oct.simulators.temper import Temper

_END = b"\r\n.\r\n"
_LARGEST = 64 * 1024 * 1024
_LONGEST_LINE = 4096


class Depot(Protocol):
    """Where accepted messages go. Called on the server's thread."""

    def keep(self, mail_from: str, recipients: tuple[str, ...], raw: bytes) -> None:
        """Takes one message, dots undone, not yet answered."""

    def commit(self) -> None:
        """Makes durable and visible all that was kept: the senders are answered after it."""


class Reception:
    """The server. `port` 0 lets the system choose; after `start`, `port` is the real one.

    `serves` tells whether a recipient is one of its addresses; the others are answered 550.
    """

    def __init__(self, depot: Depot, *, serves: Callable[[str], bool], host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self.temper = Temper()
        self.depot = depot
        self.serves = serves
        self.sessions: set[_Session] = set()
        self._waiting: list[_Session] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="reception", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> Self:
        """Listens. OSError when the port is taken."""
        serving = self._loop.create_server(lambda: _Session(self), self.host, self.port, backlog=512)
        try:
            self._server = self._loop.run_until_complete(serving)
        except OSError:
            self._loop.close()
            raise
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    def stop(self) -> None:
        """Closes the port and every connection, at once."""
        self._loop.call_soon_threadsafe(self._shut)
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def complete(self, session: _Session) -> None:
        """A session has a whole message in the depot: it is answered after the commit of this turn."""
        if not self._waiting:
            self._loop.call_soon(self._commit)
        self._waiting.append(session)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Runs `action` on the server's thread after so many seconds."""
        self._loop.call_later(seconds, action)

    def _commit(self) -> None:
        self.depot.commit()
        waiting, self._waiting = self._waiting, []
        for session in waiting:
            session.answer_data()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def _shut(self) -> None:
        assert self._server is not None
        self._server.close()
        for session in list(self.sessions):
            session.cut()
        # A turn of the loop lets the transports close their sockets before the loop stops.
        self._loop.call_soon(self._loop.call_soon, self._loop.stop)


class _Session(asyncio.Protocol):
    """One connection. `_held` stops reading commands while an answer is owed."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._buffer = bytearray()
        self._searched = 0
        self._in_data = False
        self._held = False
        self._forget()

    def _forget(self) -> None:
        self._mail_from: str | None = None
        self._recipients: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._reception.sessions.add(self)
        self._say("220 simulateur.example ESMTP")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._reception.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def answer_data(self) -> None:
        """After the commit: 250, or the cut that a test asked for."""
        if self._reception.temper.cuts(self._recipients):
            self.cut()
            return
        self._forget()
        self._resume("250 2.0.0 OK")

    def cut(self) -> None:
        """Drops the connection without a word."""
        self._transport.abort()

    def _say(self, reply: str) -> None:
        self._transport.write(reply.encode("ascii") + b"\r\n")

    def _resume(self, reply: str) -> None:
        self._say(reply)
        self._held = False
        self._advance()

    def _advance(self) -> None:
        while not self._held and not self._transport.is_closing():
            if not (self._take_message() if self._in_data else self._take_command()):
                return

    def _take_message(self) -> bool:
        end = self._buffer.find(_END, max(0, self._searched - len(_END)))
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > _LARGEST:
                self._say("552 5.3.4 Message trop grand")
                self._transport.close()
            return False
        # The buffer starts with the CRLF that _data put there.
        raw = bytes(self._buffer[: end + 2]).replace(b"\r\n..", b"\r\n.")[2:]
        del self._buffer[: end + len(_END)]
        self._in_data, self._held = False, True
        self._reception.depot.keep(self._mail_from or "", tuple(self._recipients), raw)
        self._reception.complete(self)
        return True

    def _take_command(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_LINE:
                self._say("500 5.5.2 Ligne trop longue")
                self._transport.close()
            return False
        line = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 2]
        verb, _, argument = line.partition(" ")
        command = _COMMANDS.get(verb.upper())
        if command is None:
            self._say("500 5.5.1 Commande inconnue")
        else:
            command(self, argument)
        return True

    def _ehlo(self, _: str) -> None:
        self._forget()
        self._say(f"250-simulateur.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE {_LARGEST}")

    def _helo(self, _: str) -> None:
        self._forget()
        self._say("250 simulateur.example")

    def _mail(self, argument: str) -> None:
        self._forget()
        self._mail_from = _path(argument)
        self._say("250 2.1.0 OK")

    def _rcpt(self, argument: str) -> None:
        if self._mail_from is None:
            self._say("503 5.5.1 MAIL d'abord")
            return
        recipient = _path(argument)
        if not self._reception.serves(recipient.lower()):
            self._say("550 5.1.1 Adresse inconnue")
            return
        verdict = self._reception.temper.judge(self._mail_from, recipient)
        if verdict.accepted:
            self._recipients.append(recipient)
        if verdict.delay:
            self._held = True
            self._reception.later(verdict.delay, lambda: self._resume(verdict.reply))
        else:
            self._say(verdict.reply)

    def _data(self, _: str) -> None:
        if not self._recipients:
            self._say("503 5.5.1 RCPT d'abord")
            return
        self._say("354 Envoyez, point seul pour finir")
        self._in_data, self._searched = True, 0
        self._buffer[:0] = b"\r\n"

    def _rset(self, _: str) -> None:
        self._forget()
        self._say("250 2.0.0 OK")

    def _noop(self, _: str) -> None:
        self._say("250 2.0.0 OK")

    def _quit(self, _: str) -> None:
        self._say("221 2.0.0 Au revoir")
        self._transport.close()


_COMMANDS: dict[str, Callable[[_Session, str], None]] = {
    "EHLO": _Session._ehlo,  # noqa: SLF001
    "HELO": _Session._helo,  # noqa: SLF001
    "MAIL": _Session._mail,  # noqa: SLF001
    "RCPT": _Session._rcpt,  # noqa: SLF001
    "DATA": _Session._data,  # noqa: SLF001
    "RSET": _Session._rset,  # noqa: SLF001
    "NOOP": _Session._noop,  # noqa: SLF001
    "QUIT": _Session._quit,  # noqa: SLF001
}


def _path(argument: str) -> str:
    """The address between the angle brackets of MAIL FROM and RCPT TO; empty for `<>`."""
    return argument.partition("<")[2].partition(">")[0]
