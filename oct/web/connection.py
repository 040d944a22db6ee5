"""One connection to the web door: uvicorn's, with a seat to find and a request to make within a time (H2).

Beyond the places of the door, or of its address, a connection is closed at once and costs nothing. One that says
nothing, or says it slowly, is closed too; the time for a body is `oct.web.guard`'s to keep.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from oct.doors.admission import Admission, ip_of

HEAD_S = 15.0
"""For a request to begin, from the greeting or from the answer before."""


class Connection(H11Protocol):
    """HTTP/1.1 with one peer."""

    def __init__(self, config: Config, server_state: ServerState, admission: Admission, head_s: float) -> None:
        super().__init__(config, server_state, {})
        self._admission = admission
        self._head_s = head_s
        self._peer: str | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        peer = ip_of(self.client)
        if not self._admission.enter(peer):
            transport.abort()
            return
        self._peer = peer
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        if self._peer is not None:
            super().data_received(data)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._peer is not None:
            self._admission.leave(self._peer)
            self._peer = None
        if self._deadline is not None:
            self._deadline.cancel()

    def _wait_for_request(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self._head_s, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
