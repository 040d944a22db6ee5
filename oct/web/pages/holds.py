"""What waits for a person, and what may be decided of it (K2): release, send to an insurer or a practitioner, refuse.

A decision is asked twice: the first form shows what will be done, the second does it. The steps decide whether it can
be done; their reasons are shown, and the hold stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from oct.domain.model import Insurer, Practitioner
from oct.errors import OctError, RuleError, StoreError
from oct.steps.attribution import give
from oct.steps.journal.reading import Look, Looked
from oct.steps.release import refuse, release
from oct.steps.workshop import Workshop
from oct.store import holds, lots, messages
from oct.store.browse import listings
from oct.store.browse.search import search
from oct.store.holds import Hold, HoldSubject
from oct.web.desk import DeskGiven
from oct.web.identity import Identity, Right, require
from oct.web.pages.reader import Reader, Reading, filters, found, listed, row_id

router = APIRouter(prefix="/retenues")

_NIR = re.compile(r"[12](?:[\s.]?\d){12,14}")
_DONE = {"liberer": "Ce qui attendait est libéré.", "adresser": "Ce qui attendait part à l'assureur désigné.",
         "attribuer": "Le retour part au praticien désigné.", "refuser": "Ce qui attendait est refusé."}  # fmt: skip
_ASKED = {"liberer": "Libérer", "adresser": "Envoyer à un assureur", "attribuer": "Envoyer à un praticien",
          "refuser": "Refuser"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody wants to decide: one of the four deeds, for whom or why."""

    deed: str
    insurer: Insurer | None = None
    practitioner: Practitioner | None = None
    reason: str = ""

    @property
    def said(self) -> str:
        """The decision in words."""
        whom = self.insurer.label if self.insurer else self.practitioner.number if self.practitioner else ""
        return " : ".join(part for part in (_ASKED[self.deed], whom or self.reason) if part)


@router.get("")
def list_page(reader: Reading, closes: bool = False, suite: str = "") -> Response:
    """What waits, the oldest first; or what was decided, the newest first."""
    with reader.look() as (conn, register):
        page = listed(lambda cursor: listings.holds_page(conn, cursor, closed=closes), suite)
    return reader.page(
        "holds.html",
        Looked(Look.PAGE, data=filters(closes="oui" if closes else "", suite=suite)),
        page=page,
        register=register,
        closes=closes,
    )


@router.get("/{ident}")
def hold_page(reader: Reading, ident: str, fait: str = "") -> Response:
    """One hold, and the forms to decide it."""
    return _page(reader, ident, done=_DONE.get(fait, ""))


@router.post("/{ident}/decision")
def decide(
    reader: Reading,
    desk: DeskGiven,
    who: Annotated[Identity, Depends(require(Right.ACT))],
    ident: str,
    quoi: Annotated[str, Form(max_length=20)],
    assureur: Annotated[str, Form(max_length=300)] = "",
    ps: Annotated[str, Form(max_length=20)] = "",
    raison: Annotated[str, Form(max_length=500)] = "",
    confirme: bool = Form(default=False),
) -> Response:
    """Shows what will be done; does it once it is confirmed."""
    given = {"quoi": quoi, "assureur": assureur, "ps": ps, "raison": raison}
    try:
        decision = decision_of(reader, quoi, assureur.strip(), ps.strip(), raison.strip())
        if not confirme:
            return _confirmation(reader, ident, decision, given)
        carry_out(desk.workshop, row_id(ident), decision, who.actor)
    except StoreError:
        raise
    except OctError as error:
        return _page(reader, ident, wrong=error.describe())
    return RedirectResponse(f"/retenues/{row_id(ident)}?fait={quoi}", status_code=303)


def decision_of(reader: Reader, deed: str, insurer: str, number: str, reason: str) -> Decision:
    """What was asked for. RuleError when it names nobody, or says no reason."""
    match deed:
        case "liberer":
            return Decision(deed)
        case "adresser":
            return Decision(deed, insurer=_insurer(reader, insurer))
        case "attribuer":
            with reader.look() as (_, register):
                account = register.by_number.get(number)
            if account is None:
                raise RuleError("ps-inconnu", "Aucun praticien n'a ce numéro.")
            return Decision(deed, practitioner=account)
        case "refuser":
            if len(reason) < 5 or _NIR.search(reason):
                raise RuleError(
                    "raison", "Donnez une raison, sans NIR ni nom : elle sera dite au praticien telle quelle."
                )
            return Decision(deed, reason=reason)
        case _:
            raise RuleError("decision-inconnue", "Cette décision n'existe pas.")


def _insurer(reader: Reader, text: str) -> Insurer:
    """By its code, its address or its id in the directory."""
    with reader.look() as (conn, register):
        known = register.directory.insurers
        ids = [int(text)] if text.isascii() and text.isdecimal() and len(text) < 8 else search(conn, text).insurers
        named = [known[one] for one in ids if one in known]
    if len(named) != 1:
        raise RuleError("assureur-a-dire", "Donnez l'identifiant, le code ou l'adresse d'un seul assureur connu.")
    return named[0]


def carry_out(workshop: Workshop, hold_id: int, decision: Decision, actor: str) -> None:
    """Does it; OctError says why it cannot be done."""
    if decision.deed == "refuser":
        refuse(workshop, hold_id, actor, decision.reason)
    elif decision.practitioner is not None:
        give(workshop, hold_id, actor, decision.practitioner)
    else:
        release(workshop, hold_id, actor, decision.insurer)


def _confirmation(reader: Reader, ident: str, decision: Decision, given: Mapping[str, str]) -> Response:
    with reader.look() as (conn, _):
        hold = found(holds.by_id(conn, row_id(ident)))
    return reader.page("hold_confirm.html", _looked(hold), hold=hold, decision=decision, given=given)


def _page(reader: Reader, ident: str, *, done: str = "", wrong: str = "") -> Response:
    with reader.look() as (conn, register):
        hold = found(holds.by_id(conn, row_id(ident)))
        message = found(messages.by_id(conn, hold.message_id))
        waiting = lots.of_hold(conn, hold.id)
        if hold.consignment_id is not None:
            waiting += lots.of_consignment(conn, hold.consignment_id)
    return reader.page(
        "hold.html",
        _looked(hold),
        status=422 if wrong else 200,
        hold=hold,
        message=message,
        lots=waiting,
        register=register,
        is_return=hold.subject == HoldSubject.RETURN,
        may_route=hold.subject in {HoldSubject.FILE, HoldSubject.LOT},
        done=done,
        wrong=wrong,
    )


def _looked(hold: Hold) -> Looked:
    return Looked(Look.PAGE, message_id=hold.message_id, consignment_id=hold.consignment_id, return_id=hold.return_id)
