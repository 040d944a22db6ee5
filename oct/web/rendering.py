"""Pages out of templates: what every page is given, and how values are written in French.

`render(request, "name.html", key=value…)` is the whole interface. Templates escape everything; a name that is not
given is an error, not an empty place. A page for somebody signed in extends `base.html` and sets its title.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from oct.clock import paris
from oct.domain.event_words import kind_said, outcome_said
from oct.domain.rights import Identity, Right, Role
from oct.web.desk import desk_of
from oct.web.identity import cookie_of, forgery_token
from oct.web.navigation import entries
from oct.web.wording import details, tone, word

_HERE = Path(__file__).parent

_ROLES = {Role.AUDITOR: "auditeur", Role.OPERATOR: "opérateur", Role.ADMINISTRATOR: "administrateur"}


_TIME = Markup('<time datetime="{}">{:%d/%m/%Y %H:%M:%S}</time>')


def instant(ms: int | None) -> str:
    """An instant in legal French time; a dash for none."""
    if ms is None:
        return "–"
    at = paris(ms)
    return _TIME.format(at.isoformat(timespec="seconds"), at)


def amount(centimes: int) -> str:
    """An amount in euros, as French invoices write it."""
    whole, cents = divmod(abs(centimes), 100)
    return f"{'-' if centimes < 0 else ''}{whole:,}".replace(",", " ") + f",{cents:02d} €"


def role_word(role: Role) -> str:
    """A role as people call it."""
    return _ROLES[role]


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,  # files that an upgrade replaces are for the next process
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    instant=instant, amount=amount, role=role_word, word=word, tone=tone, details=details, query=urlencode
)
_ENVIRONMENT.globals.update(Right=Right, Role=Role, kind_said=kind_said, outcome_said=outcome_said)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. Templates have, besides `values`: `concentrator` (its name), `identity` (None when nobody is signed in),
    `navigation` (entries with label, path, here), `csrf` (to put in every form)."""
    identity: Identity | None = getattr(request.state, "identity", None)
    cookie = cookie_of(request)
    given = {
        "concentrator": desk_of(request).workshop.rules.name,
        "identity": identity,
        "navigation": entries(identity, request.url.path),
        "csrf": forgery_token(cookie) if cookie else "",
        **values,
    }
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(given), status_code=status)
