"""The API attacked by schemathesis, which reads its description: what it asked, what came back, what broke the promise.

The calls go straight to the application, from one address. Everything is drawn from a seed, so that a run repeats.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from starlette.types import ASGIApp, Receive, Scope, Send

from oct.domain.rights import Role
from oct.web.desk import WebRules
from tests.adapters.web.rig import Rig

HOSTS = WebRules(hosts=frozenset({"testserver"}))
"""The name under which schemathesis calls an application."""
LOGIN = "chef"

_RULES = {
    "positive_data_acceptance": {"enabled": False},  # what is well-formed may still name nobody, or be decided already
}


@dataclass
class Found:
    """Answers by status, and each way in which the description was broken."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)


def attack(rig: Rig, role: Role, *, examples: int, coverage: bool, seed: int = 7) -> Found:
    """Calls everything with a token of this role: so many times by chance; `coverage`: and at every bound there is."""
    rig.account(LOGIN, role, payloads=True)
    token = rig.token(LOGIN, role, payloads=True)
    config = SchemathesisConfig.from_dict({
        "seed": seed,
        "headers": {"Authorization": f"Bearer {token}"},
        "continue-on-failure": True,
        "checks": _RULES,
        "generation": {"max-examples": examples, "deterministic": True, "database": "none", "no-shrink": True},
        "phases": {
            "examples": {"enabled": False},
            "coverage": {"enabled": coverage, "unexpected-methods": ["PATCH"]},
            "stateful": {"enabled": False},
        },
    })  # fmt: skip
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", _from_one_address(rig.app), config=config)
    found = Found()
    for event in engine.from_schema(schema).execute():
        _count(found, event)
    return found


def _from_one_address(app: ASGIApp) -> ASGIApp:
    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": ("192.0.2.10", 40000)}, receive, send)

    return called


def _count(found: Found, event: Any) -> None:
    match event:
        case ScenarioFinished():
            answers = [one.response for one in event.recorder.interactions.values() if one.response is not None]
            found.statuses.update(one.status_code for one in answers)
            for checks in event.recorder.checks.values():
                for check in checks:
                    if check.status is not Status.SUCCESS:
                        found.faults[f"{check.name} {event.recorder.label}"] = str(check.failure_info)
        case NonFatalError() | FatalError():
            found.faults[type(event).__name__] = str(event)
