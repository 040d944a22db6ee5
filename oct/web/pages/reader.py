"""Who looks, and how a page is made: the look is written down, then the page is shown (J3).

`Reading` as a parameter admits who may read the trace. `reader.page` is the one way to a page here, so that none
is shown without its event; when that cannot be written there is no page (503). What does not exist and what nobody may
see answer alike: `NotFoundError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from oct.domain.model import Insurer, Practitioner
from oct.steps.journal.reading import Look, Looked, note_look
from oct.steps.workshop import Workshop
from oct.store.browse.paging import Page
from oct.store.registry import Snapshot
from oct.web.desk import DeskGiven
from oct.web.identity import Identity, Right, require
from oct.web.refusals import NotFoundError
from oct.web.rendering import render

T = TypeVar("T")
_GREATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Reader:
    """One person's one request."""

    request: Request
    workshop: Workshop
    identity: Identity

    @contextmanager
    def look(self) -> Iterator[tuple[Connection, Snapshot]]:
        """One snapshot of the database, and the register as it was then."""
        with self.workshop.store.read() as conn:
            yield conn, self.workshop.registry.current(conn)

    def page(self, template: str, looked: Looked | None = None, *, status: int = 200, **values: Any) -> Response:
        """Writes the look down and shows the page."""
        self.note(looked or Looked(Look.PAGE))
        return render(self.request, template, status=status, **values)

    def note(self, looked: Looked) -> None:
        """Writes a look down, with the page and with what was asked of it (without free text)."""
        said = {"page": self.request.url.path, **looked.data}
        if self.identity.token:
            said |= {"jeton": self.identity.token, "libelle": self.identity.label}
        told = replace(looked, data=said)
        note_look(self.workshop.store, told, actor=self.identity.actor, now=self.workshop.clock())


def _reader(
    request: Request, desk: DeskGiven, identity: Annotated[Identity, Depends(require(Right.READ_TRACE))]
) -> Reader:
    return Reader(request, desk.workshop, identity)


Reading = Annotated[Reader, Depends(_reader)]


def found(thing: T | None) -> T:
    """The thing, or the page that says there is none."""
    if thing is None:
        raise NotFoundError
    return thing


def id_of(thing: Practitioner | Insurer | None) -> int | None:
    """The id of what a list is narrowed to, if it is."""
    return None if thing is None else thing.id


def row_id(text: str) -> int:
    """The id that a path names; what cannot be one names nothing."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) <= _GREATEST):
        raise NotFoundError
    return int(text)


def listed(read: Callable[[str], Page[T]], cursor: str) -> Page[T]:
    """A page of a list from a cursor that the address gave; a cursor that is none names no page."""
    try:
        return read(cursor)
    except ValueError:
        raise NotFoundError from None


def filters(**given: object) -> Mapping[str, object]:
    """What was asked of a list, to write down: what is empty is left out."""
    return {name: value for name, value in given.items() if value not in (None, "")}
