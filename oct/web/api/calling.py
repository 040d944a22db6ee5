"""Who calls, whether they may, and that each call is an event (J3).

A token in `Authorization: Bearer` is the only way in; absent, unknown, expired, revoked or of a closed account, it gets
one and the same 401. What the token's role does not give is a 403 and an event. `Call.answer` is the one way to an
answer that shows something: it writes the call down first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from oct.domain.rights import Identity, Right
from oct.steps.journal.reading import Look, Looked
from oct.web.desk import DeskGiven
from oct.web.identity import asked_place
from oct.web.pages.reader import Reader
from oct.web.refusals import NotAllowedError, NotSignedInError

T = TypeVar("T")

_BEARER = HTTPBearer(
    scheme_name="jeton",
    description="Un jeton fait par `oct users token add` ou sur la page d'un compte : `Authorization: Bearer oct_…`.",
    auto_error=False,
)


class NoTokenError(NotSignedInError):
    """No token, or none that counts."""

    code = "jeton-absent"
    sentence = "Donnez un jeton en service : « Authorization: Bearer oct_… »."


class Call(Reader):
    """One call of one program."""

    def answer(self, document: T, looked: Looked | None = None) -> T:
        """Writes the call down and gives what answers it."""
        self.note(looked or Looked(Look.CALL))
        return document

    def begin(self, looked: Looked | None = None) -> None:
        """Writes down a call that does something, before it is done."""
        self.note(looked or Looked(Look.CALL))


def token_holder(
    request: Request, desk: DeskGiven, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Identity:
    """Whose token came with the call."""
    identity = desk.sign_in.identify_token(given.credentials.strip()) if given is not None else None
    if identity is None:
        raise NoTokenError
    request.state.identity = identity
    return identity


def _calling(right: Right) -> Callable[..., Call]:
    def admitted(request: Request, desk: DeskGiven, identity: Annotated[Identity, Depends(token_holder)]) -> Call:
        if not identity.may(right):
            desk.sign_in.refused(identity, right, asked_place(request))
            raise NotAllowedError
        return Call(request, desk.workshop, identity)

    return admitted


Reading = Annotated[Call, Depends(_calling(Right.READ_TRACE))]
Acting = Annotated[Call, Depends(_calling(Right.ACT))]
Exporting = Annotated[Call, Depends(_calling(Right.EXPORT_PROOF))]
Administering = Annotated[Call, Depends(_calling(Right.ADMINISTER))]
ReadingPayloads = Annotated[Call, Depends(_calling(Right.READ_PAYLOADS))]


def operation(name: str, summary: str, description: str = "", **more: Any) -> dict[str, Any]:
    """How a call is described: its operationId and what it does, in French."""
    return {"operation_id": name, "summary": summary, "description": description or summary, **more}
