"""The application: its routes, what answers when something is refused or fails, and what stands around all of it.

A failure that nobody declared is logged by its type and place (`errors.described`) and answered by a page that says
nothing of it. Pages answer people (HTML, French); the API is an application of its own, mounted here (`oct.web.api`).
"""

from __future__ import annotations

from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from oct.web import own_pages, probes, sign_in_pages, users_pages
from oct.web.api.application import create_api
from oct.web.desk import Desk
from oct.web.failures import answer_failures
from oct.web.guard import Guard
from oct.web.identity import unforged
from oct.web.pages import ROUTERS

_STATIC = Path(__file__).with_name("static")
_ROUTERS = (probes.router, sign_in_pages.router, *ROUTERS, own_pages.router, users_pages.router)


def create_app(desk: Desk) -> FastAPI:
    """The console and the API of this desk."""
    app = FastAPI(
        title="Concentrateur OCT",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(unforged)],
    )
    app.state.desk = desk
    for router in _ROUTERS:
        app.include_router(router)
    app.mount("/api/v1", create_api(desk))
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    answer_failures(app)
    app.add_middleware(Guard, desk=desk)
    return app
