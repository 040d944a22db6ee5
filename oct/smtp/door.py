"""The door: listens for SMTP, hands every complete transaction to a callable, answers what the callable says.

Takes addresses to listen on, limits and callables (`oct.smtp.transaction`). It fails towards its peers by 4xx, towards
its owner by ConfigurationError (a bad address, TLS wanted without a context) and OSError (a port already taken).
Relays for nobody: a recipient that `knows_recipient` does not know is a 550 (H2).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Sequence

from oct.doors.admission import Admission
from oct.doors.listening import Listening, bound, listener, require_modern
from oct.errors import ConfigurationError
from oct.smtp import replies
from oct.smtp.desk import Checks, Desk
from oct.smtp.memory import Memory
from oct.smtp.session import Session
from oct.smtp.transaction import (
    Accept,
    Authenticate,
    DoorLimits,
    KnowsRecipient,
    Refused,
    RefusesSender,
    TraceNumber,
)

_BACKLOG = 1024
_LAST_WORD_SECONDS = 1.0
_ACCEPTED_S = 1.0
"""What was accepted just before the door closed is a session by then."""


def _silence(chatty: logging.Logger) -> None:
    """Nothing that this logger is told goes anywhere; above its level nothing is even put into words."""
    chatty.setLevel(logging.CRITICAL)
    chatty.addFilter(lambda _record: False)


_silence(logging.getLogger("mail.log"))  # aiosmtpd's own: it writes lines, addresses and AUTH data


class Door:
    """One SMTP ingress on one event loop."""

    def __init__(
        self,
        listen: Sequence[str],
        *,
        hostname: str,
        limits: DoorLimits,
        accept: Accept,
        knows_recipient: KnowsRecipient,
        screen_sender: RefusesSender,
        trace_number: TraceNumber,
        refused: Refused,
        tls: ssl.SSLContext | None = None,
        authenticate: Authenticate | None = None,
    ) -> None:
        self._listeners = [listener(address) for address in listen]
        if tls is None and any(place.implicit_tls for place in self._listeners):
            raise ConfigurationError("tls-absent", "Une adresse d'écoute tls:// demande un certificat TLS.")
        self._desk = Desk(
            hostname=hostname,
            limits=limits,
            accept=accept,
            knows_recipient=knows_recipient,
            screen_sender=screen_sender,
            trace_number=trace_number,
            refused=refused,
            authenticate=authenticate,
            tls=None if tls is None else require_modern(tls),
            admission=Admission(connections=limits.connections, per_address=limits.connections_per_address),
            memory=Memory(limits.memory_bytes),
        )
        self._checks = Checks(self._desk)
        self._servers: list[asyncio.Server] = []
        self.ports: list[int] = []
        """The real ports, in the order of the addresses to listen on."""

    async def start(self, listening: Listening = bound) -> None:
        """Open every address, or none: OSError when one cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            for place in self._listeners:
                sockets = listening(place)
                self.ports.append(int(sockets[0].getsockname()[1]))
                protocol = self._protocol(place.implicit_tls)
                for one in sockets:
                    self._servers.append(await loop.create_server(protocol, sock=one, backlog=_BACKLOG))
        except OSError:
            self._close()
            raise

    async def linger(self) -> None:
        """Listen no more, and return when the last session has ended by itself."""
        self._close()
        await asyncio.sleep(_ACCEPTED_S)
        while self._desk.sessions:
            await asyncio.wait(self._tasks())

    async def stop(self, grace_seconds: float) -> None:
        """Listen no more, send idle sessions away, answer every open DATA (P5); beyond the grace, with 421."""
        self._close()
        for session in list(self._desk.sessions):
            session.retire()
        await _ended([*self._tasks(), *self._desk.accepting], grace_seconds)
        for session in list(self._desk.sessions):
            session.dismiss(replies.CLOSING)
        await _ended(self._tasks(), _LAST_WORD_SECONDS)

    def _protocol(self, implicit_tls: bool) -> Callable[[], Session]:
        return lambda: Session(self._desk, self._checks, implicit_tls=implicit_tls)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [session.task for session in self._desk.sessions]

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        self.ports = []


async def _ended(tasks: Iterable[asyncio.Task[object]], seconds: float) -> None:
    waiting = set(tasks)
    if waiting:
        await asyncio.wait(waiting, timeout=seconds)
