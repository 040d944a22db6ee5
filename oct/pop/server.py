"""The POP server: listens, seats its peers, keeps their locks, stops cleanly.

Takes addresses to listen on, a TLS context, limits and callables (`oct.pop.mailboxes`). It fails towards its owner by
ConfigurationError (a bad address, TLS wanted without a context, nobody who could log in) and OSError (a port already
taken), towards its peers by `-ERR`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from functools import partial

from oct.doors.listening import Listener, Listening, bound, listener, require_modern
from oct.errors import ConfigurationError
from oct.pop import replies
from oct.pop.connection import Connection
from oct.pop.desk import Desk, Network, PopLimits
from oct.pop.mailboxes import Mailboxes
from oct.pop.session import Session

_BACKLOG = 1024
_LAST_WORD_SECONDS = 1.0
_ACCEPTED_S = 1.0
"""What was accepted just before the door closed is a session by then."""


class PopServer:
    """One POP3 egress on one event loop. Without an address it has nobody to serve and nothing to ask for."""

    def __init__(
        self,
        listen: Sequence[str],
        *,
        hostname: str,
        mailboxes: Mailboxes,
        tls: ssl.SSLContext | None = None,
        clear_networks: Sequence[Network] = (),
        limits: PopLimits | None = None,
    ) -> None:
        self._listeners = [listener(address) for address in listen]
        if tls is None and any(place.implicit_tls for place in self._listeners):
            raise ConfigurationError("tls-absent", "Une adresse d'écoute tls:// demande un certificat TLS.")
        if self._listeners and tls is None and not clear_networks:
            raise ConfigurationError(
                "pop-sans-tls", "Les boîtes hébergées demandent un certificat TLS ([pop] tls_certificate et tls_key)."
            )
        self._desk = Desk(
            hostname=hostname,
            limits=limits or PopLimits(),
            mailboxes=mailboxes,
            tls=None if tls is None else require_modern(tls),
            clear_networks=tuple(clear_networks),
        )
        self._servers: list[asyncio.Server] = []
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._keeper: asyncio.Task[None] | None = None
        self.ports: list[int] = []
        """The real ports, in the order of the addresses to listen on."""

    async def start(self, listening: Listening = bound) -> None:
        """Open every address, or none: OSError when one cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            for place in self._listeners:
                sockets = listening(place)
                self.ports.append(int(sockets[0].getsockname()[1]))
                protocol = partial(self._connection, place)
                for one in sockets:
                    self._servers.append(await loop.create_server(protocol, sock=one, backlog=_BACKLOG))
        except OSError:
            self._close()
            raise
        self._keeper = asyncio.create_task(self._keep_locks())

    async def linger(self) -> None:
        """Listen no more, and return when the last session has ended by itself."""
        self._close()
        await asyncio.sleep(_ACCEPTED_S)
        while self._sessions:
            await asyncio.wait(self._sessions.values())

    async def stop(self, grace_seconds: float) -> None:
        """Listen no more, send silent sessions away, let the others have their answer (P5), at most for the grace."""
        self._close()
        for session in list(self._sessions):
            session.retire()
        await _ended(self._sessions.values(), grace_seconds)
        for task in list(self._sessions.values()):
            task.cancel()
        await _ended(self._sessions.values(), _LAST_WORD_SECONDS)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        await asyncio.to_thread(self._desk.close)

    def _connection(self, place: Listener) -> Connection:
        return Connection(self._serve, implicit_tls=place.implicit_tls, stall_seconds=self._desk.limits.stall_seconds)

    async def _serve(self, connection: Connection) -> None:
        """One peer, from its seat to its leaving."""
        admission = self._desk.admission
        if not admission.enter(connection.peer):
            await _send_away(connection)
            return
        session = Session(self._desk, connection)
        self._sessions[session] = connection.task
        try:
            await session.run()
        finally:
            del self._sessions[session]
            admission.leave(connection.peer)

    async def _keep_locks(self) -> None:
        """A lock lives as long as its session, and little longer than its process."""
        while True:
            await asyncio.sleep(self._desk.limits.renew_seconds)
            readers = [session.reader for session in self._sessions if session.reader is not None]
            if readers:
                try:
                    await self._desk.run(self._desk.mailboxes.renew, readers)
                except Exception as surprise:  # noqa: BLE001 - the next round may do better
                    self._desk.tell(surprise)

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        self.ports = []


async def _send_away(connection: Connection) -> None:
    """One too many: nothing is spent on it, not even a handshake."""
    try:
        if not connection.implicit_tls:
            await connection.send(replies.TOO_MANY_CONNECTIONS)
    except ConnectionError:
        pass
    finally:
        await connection.close()


async def _ended(tasks: Iterable[asyncio.Task[None]], seconds: float) -> None:
    waiting = set(tasks)
    if waiting:
        await asyncio.wait(waiting, timeout=seconds)
