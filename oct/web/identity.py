"""Who asks, on every page and every call, and whether they may.

`SignedIn` as the type of a parameter admits whoever is signed in; `require(Right.X)` as a dependency of a route or a
router admits who has that right. A browser shows a cookie, a program `Authorization: Bearer`; where both stand, the
token alone counts. Whoever may not is refused by exceptions of `oct.web.refusals`, as a page or as JSON.

A request that changes something and rests on the cookie must carry the session's token against forgery, in the form
field `csrf` or the header `X-CSRF-Token`; the token is derived from the cookie, so that nothing is kept for it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from oct.domain.rights import Identity, Right, Role
from oct.doors.admission import ip_of
from oct.web.desk import DeskGiven
from oct.web.refusals import ForgedError, NotAllowedError, NotSignedInError, RefusalError, UnfinishedError

__all__ = ["Identity", "Right", "Role", "SignedIn", "asked_place", "require", "signed_in"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_COOKIE = "oct"
_OURS = re.compile("[0-9]{1,10}|[0-9A-Z]{6}-[0-9A-Z]{8}")
"""The shapes of our numbers; an NIR has none of them."""


def cookie_name(request: Request) -> str:
    """The cookie's name: bound to this very host where TLS is spoken (`__Host-`)."""
    return f"__Host-{_COOKIE}" if request.url.scheme == "https" else _COOKIE


def cookie_of(request: Request) -> str:
    """The cookie that came with the request; empty when none did."""
    return request.cookies.get(cookie_name(request), "")


def peer_of(request: Request) -> str:
    """The IP address that asks. RefusalError when a server in front gives something else for it."""
    try:
        return str(ip_address(ip_of(request.client)))
    except (TypeError, ValueError):
        raise RefusalError from None


def forgery_token(cookie: str) -> str:
    """What forms must carry along with this cookie."""
    return hmac.digest(cookie.encode(), b"oct/csrf/1", "sha256").hex()


def bearer_of(request: Request) -> str:
    """The API token that came with the request; empty when none did."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def unforged(request: Request) -> None:
    """A dependency of the whole application: ForgedError unless a request that changes something carries its token."""
    cookie = cookie_of(request)
    if request.method in _SAFE or bearer_of(request):
        return  # nothing that a browser adds by itself stands behind it
    given = request.headers.get("x-csrf-token") or str((await request.form()).get("csrf", ""))
    if not cookie or not hmac.compare_digest(given.encode(), forgery_token(cookie).encode()):
        raise ForgedError


def asked_place(request: Request) -> str:
    """The address that was asked for, as an event may say it: a value in it that has not the shape of a number of ours
    may be an NIR or a name, and is left out (J4). Empty where no route leads."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return ""
    shown = {name: text if _OURS.fullmatch(text) else "…" for name, text in request.path_params.items()}
    return str(request.scope.get("root_path", "")) + route.path_format.format_map(shown)


def signed_in(request: Request, desk: DeskGiven) -> Identity:
    """Who asks. NotSignedInError when nobody is; UnfinishedError before the first sign-in is completed."""
    bearer = bearer_of(request)
    if bearer:
        identity = desk.sign_in.identify_token(bearer)
        if identity is None:
            raise NotSignedInError
        return identity
    session = desk.sign_in.identify(cookie_of(request), peer_of(request))
    if session is None:
        raise NotSignedInError
    if session.unfinished:
        raise UnfinishedError
    request.state.identity = session.identity
    return session.identity


SignedIn = Annotated[Identity, Depends(signed_in)]


def require(right: Right) -> Callable[..., Identity]:
    """A dependency that admits who has the right, and gives who it is. A refusal is an event (J3)."""

    def allowed(request: Request, desk: DeskGiven, identity: SignedIn) -> Identity:
        if not identity.may(right):
            desk.sign_in.refused(identity, right, asked_place(request))
            raise NotAllowedError
        return identity

    return allowed
