"""Makes the plan of a message: which lots go where, which wait, which are refused (annex ch. 4, rules S1-S4, L1-L8).

`plan_file` takes a well-formed file and gives a `Plan`; `plan_lots` does the same for lots that waited in a hold.
A plan only names what leaves: `oct.domain.contents` makes the bytes. None is given out before
`oct.domain.conservation` has compared it with what was received, always and not only in tests: they raise nothing but
its ConservationError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from oct.domain.conservation import check_conservation
from oct.domain.contract99 import amc_number_of, check_split, derived_lots, split_invoices
from oct.domain.model import Insurer, LotKind, Practitioner
from oct.domain.plan import Parcel, Plan, Planned, Refused, Shape, SplitContext, Waiting
from oct.domain.routing import check_owner, kind_of, route_amc, route_file, route_lot
from oct.errors import RoutingError, RuleError
from oct.formats.b2 import MAX_LOTS, B2File, Lot


@dataclass(slots=True)
class _Draft:
    """A plan being made. Groups keep the order of arrival within a destination (L2)."""

    forward: dict[int, list[Planned]] = field(default_factory=dict)
    derived: dict[int, list[Planned]] = field(default_factory=dict)
    insurers: dict[int, Insurer] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    without_amc_part: list[str] = field(default_factory=list)

    def plan(self, shape: Shape) -> Plan:
        """Parcels in order of first appearance, the AMC flow after the rest, each of 999 lots at most (L5)."""
        parcels = [
            Parcel(self.insurers[insurer_id], tuple(lots[first : first + MAX_LOTS]), keeps_header=keeps)
            for group, keeps in ((self.forward, shape is Shape.SOURCE), (self.derived, False))
            for insurer_id, lots in group.items()
            for first in range(0, len(lots), MAX_LOTS)
        ]
        return Plan(shape, tuple(parcels), tuple(self.waiting), tuple(self.refused), tuple(self.without_amc_part))


def shape_of(file: B2File) -> Shape:
    """S4: the file decides, never a setting of the PS."""
    return Shape.UNIQUE if file.recipient_type == "OT" else Shape.SOURCE


def plan_file(file: B2File, practitioner: Practitioner, context: SplitContext) -> Plan:
    """What becomes of a received file. Raises nothing but ConservationError, which is a defect."""
    shape = shape_of(file)
    if shape is Shape.SOURCE:
        plan = _plan_source(file, practitioner, context)
    else:
        draft = _Draft()
        owned = _owned_lots(file, practitioner, context, draft)
        _plan_each(file, owned, draft, context, lambda lot: route_lot(lot, context))
        plan = draft.plan(shape)
    check_conservation(file, plan)
    return plan


def plan_lots(file: B2File, context: SplitContext, insurer: Insurer | None = None, *, derived: bool = False) -> Plan:
    """The plan of lots released from a hold, to the insurer that the operator names or where the directory says.

    Whose they are was decided by the operator; the rest of the rules apply as to any lot. `derived` says that they
    are lots of the AMC flow, made earlier and held for want of their AMC (C7): they are only routed.
    """
    draft = _Draft()
    if derived:
        _plan_derived(file, draft, context, insurer)
    else:
        _plan_each(file, file.lots, draft, context, lambda lot: insurer or route_lot(lot, context))
    plan = draft.plan(Shape.UNIQUE)
    check_conservation(file, plan)
    return plan


def _plan_source(file: B2File, practitioner: Practitioner, context: SplitContext) -> Plan:
    """S1: the file whole, to the insurer that its header names; lot by lot only when it holds contract 99 (S3)."""
    splits = any(split_invoices(lot) for lot in file.lots)
    lots = tuple([_received(file, lot, context) for lot in file.lots])
    try:
        insurer = route_file(file, context)
        for lot in () if splits else file.lots:
            check_owner(lot, practitioner, context)
    except RoutingError as reason:
        return Plan(Shape.SOURCE, (), (Waiting(reason, lots, whole=file.data),))
    if not splits:
        return Plan(Shape.SOURCE, (Parcel(insurer, lots, whole=file.data),))
    draft = _Draft()
    owned = _owned_lots(file, practitioner, context, draft)
    _plan_each(file, owned, draft, context, lambda _lot: insurer)
    return draft.plan(Shape.SOURCE)


def _received(file: B2File, lot: Lot, context: SplitContext) -> Planned:
    return Planned(lot, kind_of(lot, context.conventions), digest=hashlib.sha256(file.view(lot)).digest())


def _owned_lots(file: B2File, practitioner: Practitioner, context: SplitContext, draft: _Draft) -> list[Lot]:
    """The lots of the sender's account; the others wait (L8)."""
    owned = []
    for lot in file.lots:
        try:
            check_owner(lot, practitioner, context)
        except RoutingError as reason:
            draft.waiting.append(Waiting(reason, (_received(file, lot, context),)))
        else:
            owned.append(lot)
    return owned


def _plan_each(
    file: B2File, lots: Iterable[Lot], draft: _Draft, context: SplitContext, route: Callable[[Lot], Insurer]
) -> None:
    received = [_received(file, lot, context) for lot in lots]
    split = {planned.source.rank: split_invoices(planned.source) for planned in received}
    sent_twice = _sent_twice(received) if any(split.values()) else frozenset()
    for planned in received:
        try:
            if split[planned.source.rank] or sent_twice:
                check_split(planned.source, planned.kind, sent_twice, context.layouts)
            insurer = route(planned.source)
            draft.insurers[insurer.id] = insurer
            if split[planned.source.rank]:
                _split(file, planned, insurer, draft, context)
            else:
                draft.forward.setdefault(insurer.id, []).append(planned)
        except RuleError as reason:
            draft.refused.append(Refused(reason, planned.source))
        except RoutingError as reason:
            draft.waiting.append(Waiting(reason, (planned,)))


def _sent_twice(received: Iterable[Planned]) -> frozenset[tuple[str, str]]:
    """C3: PS and number of the invoices that come both with contract 99 and as DRE."""
    split, as_dre = set[tuple[str, str]](), set[tuple[str, str]]()
    for planned in received:
        lot, dre = planned.source, planned.kind is LotKind.DRE
        invoices = lot.invoices if dre else split_invoices(lot)
        (as_dre if dre else split).update([(lot.ps_number, invoice.number) for invoice in invoices])
    return frozenset(split & as_dre)


def _split(file: B2File, received: Planned, insurer: Insurer, draft: _Draft, context: SplitContext) -> None:
    """S3: the lot without its complementary records to its AMO, its AMC flow to the AMC."""
    lot = received.source
    flow = derived_lots(file, lot, context)
    draft.forward.setdefault(insurer.id, []).append(received._replace(altered=True))
    for made in flow:
        digest = hashlib.sha256(received.digest + made.amc_number.encode("latin-1")).digest()
        planned = Planned(lot, LotKind.AMC, derived=made, digest=digest)
        _forward_derived(planned, made.amc_number, draft, context)
    asked = {invoice.start for made in flow for invoice in made.invoices}
    draft.without_amc_part += [invoice.number for invoice in split_invoices(lot) if invoice.start not in asked]


def _forward_derived(
    planned: Planned, amc_number: str, draft: _Draft, context: SplitContext, insurer: Insurer | None = None
) -> None:
    try:
        insurer = insurer or route_amc(amc_number, context.directory)
    except RoutingError as reason:  # C7: the AMO flow goes on
        draft.waiting.append(Waiting(reason, (planned,)))
        return
    draft.insurers[insurer.id] = insurer
    draft.derived.setdefault(insurer.id, []).append(planned)


def _plan_derived(file: B2File, draft: _Draft, context: SplitContext, insurer: Insurer | None) -> None:
    for lot in file.lots:
        amc_number = amc_number_of(file, lot.invoices[0], context.layouts)
        planned = Planned(lot, LotKind.AMC, digest=hashlib.sha256(file.view(lot)).digest())
        _forward_derived(planned, amc_number, draft, context, insurer)
