"""R4: what a return says of each lot and invoice, and the state it moves a lot to.

`outcomes_of` turns a parsed ARL or RSP into values that can be stored with the lots they answer; `lot_state_after`
folds all that was said of a lot so far into its state. Amounts are centimes, negative when taken back. No insured
person, act or member number is kept: numbers of lots and invoices, amounts, codes and labels of rejection.

Fails with FormatError `noemie-zone-non-numerique` when an amount of a RSP is not a number. Source: annex 5.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from oct.domain.journey import AWAITING, LotState
from oct.domain.returns import InvoiceRef, LotRef, Scope, scopes_in
from oct.formats.arl import Arl
from oct.formats.entities import Entities, Entity, Role
from oct.formats.noemie import NoemieFile


class Payer(StrEnum):
    """Which part of an invoice."""

    AMO = "AMO"
    AMC = "AMC"


class Payment(StrEnum):
    """What became of a part; UNSTATED when the insurer left the state blank."""

    PAID = "P"
    REJECTED = "R"
    DEFERRED = "D"
    UNSTATED = ""


@dataclass(frozen=True, slots=True)
class LotOutcome:
    """An ARL's word on a lot."""

    lot: LotRef
    positive: bool
    code: str
    label: str


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """An ARL's word on a whole file of ours: it holds for each of its lots."""

    file_id: str
    positive: bool
    code: str


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """A RSP's word on one insurer's part of an invoice: centimes asked and paid."""

    payer: Payer
    payment: Payment
    asked: int
    paid: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A reason: `scope` A act, F invoice, L lot; `part` C or O (AMC, AMO); both blank in the older form (290)."""

    code: str
    label: str
    scope: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceOutcome:
    """A RSP's word on one invoice; `kind` F, D, A or B, blank when it is not told."""

    invoice: InvoiceRef
    kind: str
    parts: tuple[PartOutcome, ...]
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class LotRejection:
    """A RSP's reason against a whole lot, none of its invoices being named."""

    lot: LotRef
    rejection: Rejection


Outcome = LotOutcome | FileOutcome | InvoiceOutcome | LotRejection

Words = Mapping[tuple[str, Payer], Payment]
"""The last word on each part of invoices, these by their numbers."""

ANSWERABLE = AWAITING | {
    LotState.ACKNOWLEDGED,
    LotState.REFUSED,
    LotState.PAID,
    LotState.PART_PAID,
    LotState.REJECTED,
}
"""States of a lot that has left: only these can be answered."""


def outcomes_of(parsed: NoemieFile | Arl, rules: Entities) -> tuple[Outcome, ...]:
    """What a return says, in its order."""
    if isinstance(parsed, NoemieFile):
        return _payment_outcomes(parsed.entities, rules)
    if parsed.file is not None:
        return (FileOutcome(parsed.file.file_id, parsed.file.positive, parsed.file.code),)
    return tuple(
        LotOutcome(LotRef(lot.lot_number, lot.lot_date, lot.ps_number, lot.organism), lot.positive, lot.code, lot.label)
        for lot in parsed.lots
    )


def lot_state_after(
    current: LotState,
    outcomes: Sequence[Outcome],
    invoice_count: int | None = None,
    earlier: Words = MappingProxyType({}),
) -> LotState:
    """The state of a lot from what a return says of it, oldest first, and `earlier` ones said of its invoices.

    The last word on an invoice's part counts. A payment outweighs an acknowledgement, whatever came first. When
    `invoice_count` is given and fewer invoices were answered, the lot is at most part paid.
    """
    if current not in ANSWERABLE:
        return current
    payment = _state_of_payment(outcomes, invoice_count, earlier)
    if payment is not None:
        return payment
    receipts = [outcome.positive for outcome in outcomes if isinstance(outcome, LotOutcome | FileOutcome)]
    if receipts and current not in {LotState.PAID, LotState.PART_PAID, LotState.REJECTED}:
        return LotState.ACKNOWLEDGED if receipts[-1] else LotState.REFUSED
    if outcomes and current in AWAITING:
        return LotState.ACKNOWLEDGED
    return current


def words_of(outcome: InvoiceOutcome) -> dict[Payer, Payment]:
    """What a RSP states of the parts of an invoice; reasons of rejection without any amount reject what was asked."""
    if outcome.rejections and not outcome.parts:
        return {_refusing(outcome, rejection): Payment.REJECTED for rejection in outcome.rejections}
    words = {part.payer: _payment(part) for part in outcome.parts}
    return {payer: payment for payer, payment in words.items() if payment is not Payment.UNSTATED}


def _state_of_payment(outcomes: Sequence[Outcome], invoice_count: int | None, earlier: Words) -> LotState | None:
    """Paid, part paid or rejected; None when nothing final was said (deferred, unstated, some rejected only)."""
    last = dict(earlier)
    for outcome in outcomes:
        if isinstance(outcome, InvoiceOutcome):
            number = outcome.invoice.invoice_number
            last.update({(number, payer): payment for payer, payment in words_of(outcome).items()})
    said = set(last.values())
    complete = invoice_count is None or len({number for number, _ in last}) >= invoice_count
    if any(isinstance(outcome, LotRejection) for outcome in outcomes):
        said.add(Payment.REJECTED)
        complete = True
    if Payment.PAID in said:
        return LotState.PAID if complete and said == {Payment.PAID} else LotState.PART_PAID
    return LotState.REJECTED if complete and said == {Payment.REJECTED} else None


def _refusing(outcome: InvoiceOutcome, rejection: Rejection) -> Payer:
    """Who refuses an invoice: as the reason says, else as the invoice was sent."""
    if rejection.part:
        return Payer.AMC if rejection.part == "C" else Payer.AMO
    return Payer.AMC if outcome.kind in {"D", "A"} else Payer.AMO


def _payment(part: PartOutcome) -> Payment:
    """An amount paid without a word is paid."""
    return Payment.PAID if part.payment is Payment.UNSTATED and part.paid else part.payment


def _payment_outcomes(entities: Sequence[Entity], rules: Entities) -> tuple[Outcome, ...]:
    outcomes: list[Outcome] = []
    for scope in scopes_in(entities, rules):
        if scope.opens_invoice and scope.invoice is not None:
            outcomes.append(InvoiceOutcome(scope.invoice, rules.text(scope.entity, "kind"), (), ()))
        elif scope.role is Role.REJECTION and scope.invoice is None and scope.lot is not None:
            outcomes.append(LotRejection(scope.lot, _rejection(scope.entity, rules)))
        elif scope.invoice is not None and isinstance(outcomes[-1], InvoiceOutcome):
            outcomes[-1] = _with(outcomes[-1], scope, rules)
    return tuple(outcomes)


def _with(outcome: InvoiceOutcome, scope: Scope, rules: Entities) -> InvoiceOutcome:
    """The outcome with what one more entity of its invoice says."""
    if scope.role is Role.INVOICE:
        return replace(outcome, kind=outcome.kind or rules.text(scope.entity, "kind"))
    if scope.role in _PAYERS:
        return replace(outcome, parts=(*outcome.parts, _part(scope.entity, _PAYERS[scope.role], rules)))
    if scope.role is Role.REJECTION:
        return replace(outcome, rejections=(*outcome.rejections, _rejection(scope.entity, rules)))
    return outcome


def _part(entity: Entity, payer: Payer, rules: Entities) -> PartOutcome:
    state = rules.text(entity, "state")
    payment = Payment(state) if state in set(Payment) else Payment.UNSTATED
    return PartOutcome(payer, payment, rules.number(entity, "asked"), rules.signed(entity, "paid"))


def _rejection(entity: Entity, rules: Entities) -> Rejection:
    said = {name: rules.text(entity, name) for name in ("code", "label", "scope", "part")}
    return Rejection(**said)


_PAYERS = {Role.AMO: Payer.AMO, Role.AMC: Payer.AMC}
