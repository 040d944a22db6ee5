"""The one cookie of the console: a random text that only the browser has.

Before a sign-in it ties the form to the browser; the sign-in replaces it by the session's token. Scripts cannot read
it, other sites cannot have it sent; over TLS it goes nowhere else.
"""

from __future__ import annotations

from fastapi import Request, Response

from oct.web.identity import cookie_name


def set_cookie(request: Request, response: Response, value: str) -> None:
    """Gives the browser its text, until it is closed."""
    response.set_cookie(
        cookie_name(request), value, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Has the browser forget it."""
    response.delete_cookie(
        cookie_name(request), path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
