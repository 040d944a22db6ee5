"""The web door: uvicorn on the program's own event loop, one server for each address to listen on.

It leaves signals to the program, and stops as the other doors do: listens no more, answers what is under way, at most
for the grace. It fails towards its owner by ConfigurationError (a bad address, TLS wanted without a certificate, clear
text where others could listen) and OSError (a port already taken). Home of uvicorn.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from oct.doors.admission import Admission
from oct.doors.listening import Listener, Listening, bound, listener, require_modern
from oct.errors import ConfigurationError
from oct.web.connection import HEAD_S, Connection

_BACKLOG = 256
_KEEP_ALIVE_S = 20
_HANDSHAKE_S = 10.0
_GOODBYE_S = 1.0
"""For a peer to answer the end of TLS: a browser that only stays connected does not, and must not delay a stop."""
_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class WebLimits:
    """Connections in all and per address (not when servers in front speak for others), seconds for a request's head."""

    connections: int = 500
    per_address: int = 50
    head_seconds: float = HEAD_S


class WebServer:
    """The console and the API, listening. Without an address it has nobody to serve and nothing to ask for."""

    def __init__(
        self,
        listen: Sequence[str],
        app: FastAPI,
        *,
        tls: ssl.SSLContext | None = None,
        proxies: Sequence[str] = (),
        limits: WebLimits = WebLimits(),
    ) -> None:
        """`proxies`: networks of the servers in front, whose word is taken for who asks and whether by TLS."""
        self._listeners = [listener(address) for address in listen]
        self._app = app
        self._tls = None if tls is None else require_modern(tls)
        self._proxies = list(proxies)
        self._limits = limits
        most = limits.connections if proxies else limits.per_address
        self._admission = Admission(connections=limits.connections, per_address=most)
        self._running: list[tuple[_Quiet, asyncio.Task[None], int]] = []
        for place in self._listeners:
            self._check(place)

    @property
    def ports(self) -> list[int]:
        """The real ports, in the order of the addresses to listen on."""
        return [port for _, _, port in self._running]

    async def start(self, listening: Listening = bound) -> None:
        """Open every address, or none: OSError when one cannot be had."""
        taken: list[list[socket.socket]] = []
        try:
            taken.extend(listening(place) for place in self._listeners)
        except OSError:
            for sockets in taken:
                for one in sockets:
                    one.close()
            raise
        for place, sockets in zip(self._listeners, taken, strict=True):
            server = _Quiet(self._config(place), self._admission, self._limits.head_seconds)
            port = int(sockets[0].getsockname()[1])
            task = asyncio.create_task(server.serve(sockets=sockets))
            self._running.append((server, task, port))
            while not server.started and not task.done():
                await asyncio.sleep(_LOOK_S)

    async def linger(self) -> None:
        """Listen no more, and return when every request under way is answered."""
        for server, _, _ in self._running:
            server.should_exit = True
        await self._ended(None)

    async def stop(self, grace_seconds: float) -> None:
        """Listen no more, answer what is under way (P5), at most for the grace."""
        for server, _, _ in self._running:
            server.should_exit = True
        late = await self._ended(grace_seconds)
        for server, task, _ in self._running:
            if task in late:
                server.give_up()
                task.cancel()
        await self._ended(None)
        self._running.clear()

    async def _ended(self, seconds: float | None) -> set[asyncio.Task[None]]:
        """The servers that have not come to their end after so long; None: however long it takes."""
        tasks = [task for _, task, _ in self._running]
        return (await asyncio.wait(tasks, timeout=seconds))[1] if tasks else set()

    def _check(self, place: Listener) -> None:
        if place.implicit_tls and self._tls is None:
            raise ConfigurationError("tls-absent", "Une adresse d'écoute tls:// demande un certificat TLS.")
        if not place.implicit_tls and not self._proxies and not _is_local(place.host):
            raise ConfigurationError(
                "web-sans-tls",
                "La console ne se donne pas en clair : [web] listen = tls://hôte:port, 127.0.0.1, ou [web] proxies.",
            )

    def _config(self, place: Listener) -> uvicorn.Config:
        tls = self._tls
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(self._proxies),
            forwarded_allow_ips=self._proxies,
            timeout_keep_alive=_KEEP_ALIVE_S,
            h11_max_incomplete_event_size=16 << 10,
        )
        config.load()
        config.ssl = tls if place.implicit_tls else None
        return config


class _Quiet(uvicorn.Server):
    """A server whose process has its own way with signals, and whose connections must find a seat."""

    def __init__(self, config: uvicorn.Config, admission: Admission, head_s: float) -> None:
        super().__init__(config)
        self._admission = admission
        self._head_s = head_s

    def give_up(self) -> None:
        """Answer nobody any more."""
        for task in self.server_state.tasks:
            task.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop, tls = asyncio.get_running_loop(), self.config.ssl
        self.servers = [
            await loop.create_server(
                lambda: Connection(self.config, self.server_state, self._admission, self._head_s),
                sock=one,
                ssl=tls,
                ssl_handshake_timeout=_HANDSHAKE_S if tls is not None else None,
                ssl_shutdown_timeout=_GOODBYE_S if tls is not None else None,
                backlog=_BACKLOG,
            )
            for one in sockets or ()
        ]
        self.started = True


def _is_local(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
