"""What stands around every request: the name it was sent to, its size, the headers of its answer, the last resort.

The policy of contents lets a page load nothing but this console's own files, run none but its own script files, be
framed by nobody and send its forms nowhere else; inline scripts and styles do not work, on purpose. Answers are not to
be kept by anybody, except the files under `/static/`. A failure that nobody declared is logged by its type and place
and answered by a page that says nothing of it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oct.errors import described
from oct.web.desk import Desk
from oct.web.failures import failure
from oct.web.identity import peer_of
from oct.web.refusals import RefusalError

_log = structlog.get_logger()

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_BODY_S = 30.0
"""For the whole of a request's body."""
_TLS_ONLY = "max-age=31536000"
_PROBES = frozenset({"/health", "/ready", "/metrics"})
"""What machines ask by whatever name they know; no answer to it names a host."""


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._rules = desk.rules
        self._turned_away = desk.turned_away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        answer = _Answer(scope, send)
        try:
            refused = self._refused(request)
            if refused:
                with suppress(RefusalError):  # nobody's address
                    self._turned_away.note(peer_of(request), refused, "demande-incorrecte")
                await failure(request, refused)(scope, receive, answer.send)
                return
            await self._app(scope, _Measured(receive, self._rules.max_request).receive, answer.send)
        except Exception as surprise:
            _log.error("console-surprise", **described(surprise))
            if answer.begun:
                raise
            await failure(request, 500)(scope, receive, answer.send)

    def _refused(self, request: Request) -> int:
        """The status to refuse a request with before anything looks at it; 0 to let it pass. No database takes NUL."""
        name, _, port = request.headers.get("host", "").lower().rpartition(":")
        host = name if name and port.isdecimal() else request.headers.get("host", "").lower()
        nul = "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]
        known = host in self._rules.hosts or request.scope["path"] in _PROBES
        if not known or nul:
            return 400
        length = request.headers.get("content-length", "0")
        return 413 if length.isdecimal() and int(length) > self._rules.max_request else 0


class _Measured:
    """A body that is not read beyond its limit, nor waited for longer than its time."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most
        self._until: float | None = asyncio.get_running_loop().time() + _BODY_S

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408) from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413)
        if not message.get("more_body"):
            self._until = None  # what comes next is the end of the connection, whenever that is
        return message


class _Answer:
    """Puts the headers on an answer; `begun` once it is under way."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            kept = self._scope["path"].startswith("/static/")
            headers["Cache-Control"] = "public, max-age=3600" if kept else "no-store"
            if self._scope["scheme"] == "https":
                headers["Strict-Transport-Security"] = _TLS_ONLY
        await self._send(message)
