"""The bytes of a message, for an account that may read payloads, each time with a reason (J3).

They are handed over as a file to keep, as they are or as hexadecimal; no page ever shows them. Nothing leaves before
the reason is in the trace.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from oct.errors import OctError, RuleError, StoreError
from oct.steps.journal.reading import Look, Looked
from oct.store import payloads
from oct.store.messages import Message
from oct.web.identity import Identity, Right, require
from oct.web.pages.messages import message_named
from oct.web.pages.reader import Reader, Reading

router = APIRouter(prefix="/messages/{trace}/contenu")

MayRead = Annotated[Identity, Depends(require(Right.READ_PAYLOADS))]
_SHORTEST = 10
RECEIVED, OPENED = "recu", "fichier"


@router.get("")
def form_page(reader: Reading, _: MayRead, trace: str) -> Response:
    """Asks for the reason."""
    return _form(reader, trace)


@router.post("")
def download(
    reader: Reading,
    _: MayRead,
    trace: str,
    raison: Annotated[str, Form(max_length=300)] = "",
    quoi: Annotated[str, Form(max_length=10)] = RECEIVED,
    hexa: Annotated[bool, Form()] = False,
) -> Response:
    """The bytes: the message as it was received, or the file that was in it."""
    try:
        why = reason_of(raison)
        message, content = content_of(reader, trace, opened=quoi == OPENED)
    except StoreError:
        raise
    except OctError as error:
        return _form(reader, trace, wrong=error.sentence)
    reader.note(looked_into(message, raison=why, objet=quoi if quoi == OPENED else RECEIVED))
    name = f"{message.trace}-{OPENED if quoi == OPENED else RECEIVED}.{'hex.txt' if hexa else 'bin'}"
    return Response(
        content.hex(" ", 1).encode() if hexa else content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def reason_of(text: str) -> str:
    """Why somebody wants to read. RuleError when it is too short to say it."""
    why = " ".join(text.split())
    if len(why) < _SHORTEST or not why.isprintable():
        raise RuleError("raison", f"Dites pourquoi, en {_SHORTEST} caractères au moins.")
    return why


def content_of(reader: Reader, trace: str, *, opened: bool) -> tuple[Message, bytes]:
    """A message and its bytes, as received or the file that was in them. OctError when they cannot be had."""
    workshop = reader.workshop
    with reader.look() as (conn, _):
        message = message_named(conn, trace)
        raw = payloads.get(conn, workshop.vault, message.payload_id)
    return message, workshop.opener.open(raw, accept_clear=True, opaque=True).file if opened else raw


def _form(reader: Reader, trace: str, *, wrong: str = "") -> Response:
    with reader.look() as (conn, _):
        message = message_named(conn, trace)
    return reader.page(
        "payload.html",
        Looked(Look.PAGE, message_id=message.id),
        status=422 if wrong else 200,
        message=message,
        wrong=wrong,
    )


def looked_into(message: Message, **data: str) -> Looked:
    """What to write down of it."""
    return Looked(
        Look.PAYLOAD, message_id=message.id, practitioner_id=message.practitioner_id, insurer_id=message.insurer_id,
        data=data,
    )  # fmt: skip
