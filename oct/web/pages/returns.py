"""Returns: the list, one of them, and sending it again to where it went, or to another address (R6)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from oct.errors import RuleError
from oct.formats.mime_headers import ADDRESS, ADDRESS_LENGTH
from oct.steps.journal.reading import Look, Looked
from oct.steps.redelivery import Redelivered, redeliver
from oct.store import consignments, lots, messages, returns
from oct.store.browse import listings
from oct.store.lots import Lot
from oct.store.returns import LotAnswer, Return
from oct.web.desk import DeskGiven
from oct.web.identity import Identity, Right, require
from oct.web.pages.reader import Reader, Reading, filters, found, id_of, listed, row_id

router = APIRouter(prefix="/retours")

_DONE = {
    "envoye": "Le retour est remis en envoi.",
    "attend": "Ce retour attend déjà d'être envoyé.",
    "parti": "Ce retour n'existe plus : sa conservation a pris fin.",
}


@router.get("")
def list_page(reader: Reading, ps: str = "", suite: str = "") -> Response:
    """Returns, the newest first; of one practitioner when given."""
    with reader.look() as (conn, register):
        account = found(register.by_number.get(ps)) if ps else None
        page = listed(lambda cursor: listings.returns_page(conn, cursor, practitioner_id=id_of(account)), suite)
        progress = returns.progress(conn, [row.of for row in page.rows])
    return reader.page(
        "returns.html",
        Looked(Look.PAGE, practitioner_id=id_of(account), data=filters(suite=suite)),
        page=page,
        progress=progress,
        register=register,
        account=account,
    )


@router.get("/{ident}")
def return_page(reader: Reading, ident: str, fait: str = "") -> Response:
    """A return, whose it is and by what it was recognised, what it says of which lots."""
    return _page(reader, ident, done=_DONE.get(fait, ""))


@router.post("/{ident}/renvoi")
def send_again(
    reader: Reading,
    desk: DeskGiven,
    who: Annotated[Identity, Depends(require(Right.ACT))],
    ident: str,
    adresse: Annotated[str, Form(max_length=254)] = "",
) -> Response:
    """Sends it again."""
    with reader.look() as (conn, _):
        one = found(returns.by_id(conn, row_id(ident)))
    try:
        if one.consignment_id is None:
            raise RuleError("retour-sans-ps", "Ce retour n'a été envoyé à aucun PS : décidez d'abord de sa retenue.")
        address = checked_address(adresse.strip()) if adresse.strip() else None
        done = redeliver(desk.workshop, [one], who.actor, address)
    except RuleError as error:
        return _page(reader, ident, wrong=error.sentence)
    return RedirectResponse(f"/retours/{one.id}?fait={outcome_of(done)}", status_code=303)


def checked_address(text: str) -> str:
    """An address, in lower case. RuleError when it is none."""
    if len(text) > ADDRESS_LENGTH or ADDRESS.fullmatch(text) is None:
        raise RuleError("adresse-incorrecte", "Cette adresse n'est pas correcte.")
    return text.lower()


def outcome_of(done: Redelivered) -> Literal["envoye", "attend", "parti"]:
    """`envoye`, `attend` (it waits already), or `parti` (it exists no more)."""
    if done.sent:
        return "envoye"
    return "attend" if done.waiting else "parti"


def _page(reader: Reader, ident: str, *, done: str = "", wrong: str = "") -> Response:
    with reader.look() as (conn, register):
        one = found(returns.by_id(conn, row_id(ident)))
        message = found(messages.by_id(conn, one.message_id))
        answered = _answered(conn, one)
        progress = returns.progress(conn, [one])[one.id]
        sending = consignments.by_id(conn, one.consignment_id) if one.consignment_id is not None else None
    return reader.page(
        "return.html",
        Looked(
            Look.PAGE,
            message_id=one.message_id,
            return_id=one.id,
            practitioner_id=one.practitioner_id,
            insurer_id=one.insurer_id,
        ),
        status=422 if wrong else 200,
        one=one,
        message=message,
        register=register,
        answered=answered,
        progress=progress,
        sending=sending,
        done=done,
        wrong=wrong,
    )


def _answered(conn: Connection, one: Return) -> list[tuple[LotAnswer, Lot]]:
    answers = {answer.lot_id: answer for answer in returns.answers_of(conn, one.id)}
    return [(answers[lot.id], lot) for lot in lots.by_ids(conn, list(answers))]
