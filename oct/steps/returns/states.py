"""What a return changes in what was sent: the states of lots and of invoices (R4).

Takes the outcomes that the return states and finds the lots they speak of among what went to that insurer, those of
the return's practitioner when he is known. Pure look-ups, then one write in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from oct.domain.journey import AWAITING, LotState
from oct.domain.model import LotKind
from oct.domain.return_outcomes import (
    FileOutcome,
    InvoiceOutcome,
    LotOutcome,
    LotRejection,
    Outcome,
    Payer,
    Payment,
    Words,
    lot_state_after,
    outcomes_of,
    words_of,
)
from oct.domain.returns import LotRef
from oct.formats.arl import Arl
from oct.formats.entities import Entities
from oct.formats.noemie import NoemieFile
from oct.steps.returns.reading import Facts, ReadReturn, lots_named, lots_of_file, lots_unread
from oct.store import lots, returns
from oct.store.lots import InvoiceAnswer, Lot
from oct.store.returns import LotAnswer

_AMC_FLOW = "A"
"""Kind of an invoice of the AMC flow, in a RSP."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A lot and all that the return says of it, in order."""

    lot: Lot
    outcomes: tuple[Outcome, ...]


def lots_answered(
    conn: Connection,
    read: ReadReturn,
    entities: Entities,
    facts: Facts,
    sender: Collection[int],
    practitioner_id: int | None,
) -> list[Answered]:
    """The lots that a return speaks of, as far as it could be read, of one practitioner when he is known."""
    if not isinstance(read.parsed, NoemieFile | Arl):
        return []
    outcomes = outcomes_of(read.parsed, entities)
    return answered_lots(conn, outcomes, sender, facts.answered_lots, practitioner_id)


def answered_lots(
    conn: Connection,
    outcomes: Sequence[Outcome],
    sender: Collection[int],
    answered: Collection[int],
    practitioner_id: int | None,
) -> list[Answered]:
    """The lots that the outcomes speak of: the last sending of each; `answered` are those of the message replied to."""
    found: dict[int, tuple[Lot, list[Outcome]]] = {}
    named: dict[tuple[LotRef, bool], list[Lot]] = {}
    for outcome in outcomes:
        for lot in _spoken_of(conn, outcome, sender, answered, practitioner_id, named):
            found.setdefault(lot.id, (lot, []))[1].append(outcome)
    answers = [Answered(lot, tuple(said)) for lot, said in found.values()]
    return [*answers, *_sent_again(conn, found)]


def write_states(conn: Connection, return_id: int, answered: Sequence[Answered], now: int) -> dict[int, LotState]:
    """Links the return to its lots and moves them; gives the states that changed, by lot id."""
    moved: dict[int, LotState] = {}
    links: list[LotAnswer] = []
    invoice_answers: list[InvoiceAnswer] = []
    for one in answered:
        lot = one.lot
        state = lot_state_after(LotState(lot.state), one.outcomes, lot.invoice_count, _said_before(conn, one))
        code, label = _words(one.outcomes)
        if state != lot.state:
            moved[lot.id] = state
            lots.set_state(conn, [lot.id], state, code, now)
        links.append(LotAnswer(lot.id, state, code[:10], label[:120]))
        invoice_answers += _invoice_answers(lot, one.outcomes)
    returns.link_lots(conn, return_id, links)
    lots.set_invoice_states(conn, invoice_answers)
    return moved


def _sent_again(conn: Connection, found: Mapping[int, tuple[Lot, list[Outcome]]]) -> list[Answered]:
    """The other sendings of the same lots that still wait for this answer (D2): they have it too."""
    said = {lot.first_lot_id or lot.id: outcomes for lot, outcomes in found.values()}
    return [
        Answered(lot, tuple(said[lot.first_lot_id or lot.id]))
        for lot in lots.repeating(conn, said, AWAITING)
        if lot.id not in found
    ]


def _spoken_of(
    conn: Connection,
    outcome: Outcome,
    sender: Collection[int],
    answered: Collection[int],
    practitioner_id: int | None,
    named: dict[tuple[LotRef, bool], list[Lot]],
) -> list[Lot]:
    if isinstance(outcome, FileOutcome):
        return lots_of_file(conn, outcome.file_id, sender, answered, practitioner_id)
    reference = outcome.invoice.lot if isinstance(outcome, InvoiceOutcome) else outcome.lot
    if reference is None:
        return []
    built_here = isinstance(outcome, InvoiceOutcome) and outcome.kind == _AMC_FLOW
    key = reference, built_here
    if key not in named:
        sendings = lots_named(conn, reference, practitioner_id, sender)
        owners = {lot.practitioner_id for lot in sendings}
        unread = [lot for lot in lots_unread(conn, answered, sender) if practitioner_id in {None, lot.practitioner_id}]
        named[key] = _meant(sendings, answered, built_here=built_here) if len(owners) == 1 else unread
    return named[key]


def _meant(sendings: Sequence[Lot], answered: Collection[int], *, built_here: bool) -> list[Lot]:
    """The last sending of a lot, among those of the message replied to when it carried any.

    A lot of the AMC flow may bear the number and date of one of the practitioner's: unless the return says that it
    means the flow, it means the practitioner's, who must have his answer (C6, R1).
    """
    answering = [lot for lot in sendings if lot.id in answered] or sendings
    meant = [lot for lot in answering if (lot.kind == LotKind.AMC) is built_here] or answering
    return list(meant[-1:])


def _words(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """The last code and label that explain a refusal."""
    code = label = ""
    for outcome in outcomes:
        if isinstance(outcome, LotOutcome):
            code, label = outcome.code, outcome.label
        elif isinstance(outcome, FileOutcome):
            code = outcome.code
        elif isinstance(outcome, LotRejection):
            code, label = outcome.rejection.code, outcome.rejection.label
    return code, label


def _said_before(conn: Connection, one: Answered) -> Words:
    """What earlier returns said of the invoices of a lot, when this one speaks of invoices too."""
    if not any(isinstance(outcome, InvoiceOutcome) for outcome in one.outcomes):
        return {}
    return {
        (invoice.number, payer): Payment(state)
        for invoice in lots.invoices_of(conn, one.lot.id)
        for payer, state in ((Payer.AMO, invoice.amo_state), (Payer.AMC, invoice.amc_state))
        if state
    }


def _invoice_answers(lot: Lot, outcomes: Sequence[Outcome]) -> Iterator[InvoiceAnswer]:
    for outcome in outcomes:
        if isinstance(outcome, InvoiceOutcome):
            words = words_of(outcome)
            yield InvoiceAnswer(lot.id, outcome.invoice.invoice_number, words.get(Payer.AMO), words.get(Payer.AMC))
