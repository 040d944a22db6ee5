"""What the pages and the API work with, wired once by the bootstrap, and how a request reaches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from oct.steps.register.sign_in import SignIn
from oct.steps.register.turned_away import TurnedAway
from oct.steps.workshop import Network, Workshop


@dataclass(frozen=True, slots=True)
class WebRules:
    """Settings of the room."""

    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "[::1]"})
    """Names under which the console may be called, lower case, without port."""
    max_request: int = 1 << 20
    """Bytes of a request's body."""
    probe_networks: tuple[Network, ...] = ()
    """From where /ready and /metrics may be asked; empty: from anywhere."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The tools of the room. `workshop.store` is the database, `workshop.clock` the time."""

    workshop: Workshop
    sign_in: SignIn
    turned_away: TurnedAway
    rules: WebRules = field(default_factory=WebRules)
    keys_there: Callable[[], bool] = lambda: True
    """Whether the keys that the concentrator works with can be read."""
    alerts: Callable[[int], list[str]] = lambda _: []
    """What needs a person at an instant (ms), besides the traffic and the certificates."""


def desk_of(request: Request) -> Desk:
    """The desk of the application that serves this request."""
    desk: Desk = request.app.state.desk
    return desk


DeskGiven = Annotated[Desk, Depends(desk_of)]
"""A parameter of an endpoint."""
