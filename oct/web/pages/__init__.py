"""The pages over the traffic and its trace, one module a noun. Each look is an event (`reader.page`)."""

from __future__ import annotations

from oct.web.pages import board, exports, holds, log, lots, messages, payloads, registers, returns, searching

ROUTERS = tuple(
    part.router for part in (board, searching, messages, payloads, lots, returns, holds, registers, log, exports)
)
