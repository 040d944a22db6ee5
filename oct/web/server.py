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
from oct.doors.listening import Listener, listener, require_modern
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

    async def start(self) -> None:
        """Open every address, or none: OSError when one cannot be had."""
        taken: list[socket.socket] = []
        try:
            taken.extend(_bound(place) for place in self._listeners)
        except OSError:
            for one in taken:
                one.close()
            raise
        for place, bound in zip(self._listeners, taken, strict=True):
            server = _Quiet(self._config(place), self._admission, self._limits.head_seconds)
            port = int(bound.getsockname()[1])
            task = asyncio.create_task(server.serve(sockets=[bound]))
            self._running.append((server, task, port))
            while not server.started and not task.done():
                await asyncio.sleep(_LOOK_S)

    async def stop(self, grace_seconds: float) -> None:
        """Listen no more, answer what is under way (P5), at most for the grace."""
        for server, _, _ in self._running:
            server.config.timeout_graceful_shutdown = int(grace_seconds)
            server.should_exit = True
        await asyncio.gather(*(task for _, task, _ in self._running))
        self._running.clear()

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


def _bound(place: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((place.host, place.port))
    except OSError:
        bound.close()
        raise
    return bound


def _is_local(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
