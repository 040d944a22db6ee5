"""The plan of a message: which lots go where, which wait, which are refused (annex ch. 4, rules S1-S4, L1-L8).

`plan_file` takes a well-formed file and gives a `Plan`; `plan_lots` does the same for lots that waited in a hold.
A plan only names contents, it seals nothing. Before it is given out, `check_conservation` compares it with the
received bytes, always and not only in tests: every lot that came in is in exactly one place, unaltered lots are
equal byte for byte, lots altered by contract 99 differ only by what they had to lose, and order is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from oct.domain.contract99 import CONTRACT_SPLIT, DerivedLot, amo_lot, check_split, derive_lots, split_invoices
from oct.domain.model import Directory, Insurer, LotKind, Practitioner
from oct.domain.routing import check_owner, kind_of, route_amc, route_file, route_lot
from oct.errors import Fate, OctError, Place, RoutingError, RuleError
from oct.formats.b2 import MAX_LOTS, B2File, Lot, read_lots
from oct.formats.layouts import RECORD, Layouts


class Shape(StrEnum):
    """How the practitioner sent: one file for all (4.2), or a file already addressed to its insurer (4.1)."""

    UNIQUE = "unique"
    SOURCE = "source"


class ConservationError(OctError):
    """The plan does not hold what was received: a defect of the program. The message is held for a person."""

    fate = Fate.HOLD


@dataclass(frozen=True, slots=True)
class Planned:
    """A lot of the plan. `source` is the received lot; `derived` is set for a lot of the AMC flow (C5)."""

    source: Lot
    kind: LotKind
    content: bytes
    derived: DerivedLot | None = None

    @property
    def altered(self) -> bool:
        """Whether contract 99 changed its bytes."""
        return self.kind is not LotKind.DRE and bool(split_invoices(self.source))


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes to one insurer in one file. `whole` is the received file itself, unchanged (S1)."""

    insurer: Insurer
    lots: tuple[Planned, ...]
    whole: bytes | None = None
    keeps_header: bool = False
    """A per-caisse file with contract 99 keeps the practitioner's own 000 record (C4)."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is held (L6, L8, C7): lots for one reason, or a whole file. Never dropped, never blocks the others."""

    reason: RoutingError
    lots: tuple[Planned, ...]
    whole: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A lot that breaks a rule: nothing of it leaves."""

    reason: RuleError
    lot: Lot


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every lot of a file."""

    shape: Shape
    parcels: tuple[Parcel, ...]
    waiting: tuple[Waiting, ...]
    refused: tuple[Refused, ...]
    without_amc_part: tuple[str, ...] = ()
    """Numbers of the contract-99 invoices whose complementary part is nil: they have no AMC flow."""


@dataclass(frozen=True, slots=True)
class SplitContext:
    """What planning needs besides the file: the directory, and how the lots of the AMC flow are numbered and dated."""

    layouts: Layouts
    directory: Directory
    number_for: Callable[[str, str], str]
    today: str
    """AAMMJJ."""


@dataclass(slots=True)
class _Draft:
    """A plan being made. Groups keep the order of arrival within a destination (L2)."""

    forward: dict[int, list[Planned]] = field(default_factory=dict)
    derived: dict[int, list[Planned]] = field(default_factory=dict)
    insurers: dict[int, Insurer] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    without_amc_part: list[str] = field(default_factory=list)


def shape_of(file: B2File) -> Shape:
    """S4: the file decides, never a setting of the PS."""
    return Shape.UNIQUE if file.recipient_type == "OT" else Shape.SOURCE


def plan_file(file: B2File, practitioner: Practitioner, context: SplitContext) -> Plan:
    """What becomes of a received file. Raises nothing but ConservationError, which is a defect."""
    shape = shape_of(file)
    if shape is Shape.SOURCE and not any(split_invoices(lot) for lot in file.lots):
        plan = _plan_whole(file, practitioner, context)
    else:
        draft = _Draft()
        owned = _owned_lots(file, practitioner, draft)
        _plan_each(file, owned, draft, context, route=_router(file, shape, context.directory))
        plan = _finish(draft, shape)
    check_conservation(file, plan, context.layouts)
    return plan


def plan_lots(file: B2File, context: SplitContext, insurer: Insurer | None = None) -> Plan:
    """The plan of lots released from a hold, to the insurer that the operator names or where the directory says.

    Whose they are was decided by the operator; the rest of the rules apply as to any lot.
    """
    draft = _Draft()
    directory = context.directory
    _plan_each(file, file.lots, draft, context, route=lambda lot: insurer or route_lot(lot, directory))
    plan = _finish(draft, Shape.UNIQUE)
    check_conservation(file, plan, context.layouts)
    return plan


def _router(file: B2File, shape: Shape, directory: Directory) -> Callable[[Lot], Insurer]:
    if shape is Shape.SOURCE:
        return lambda _lot: route_file(file, directory)
    return lambda lot: route_lot(lot, directory)


def _plan_whole(file: B2File, practitioner: Practitioner, context: SplitContext) -> Plan:
    lots = tuple(Planned(lot, kind_of(lot), file.content(lot)) for lot in file.lots)
    try:
        for lot in file.lots:
            check_owner(lot, practitioner)
        insurer = route_file(file, context.directory)
    except RoutingError as reason:
        return Plan(Shape.SOURCE, (), (Waiting(reason, lots, whole=file.data),), ())
    return Plan(Shape.SOURCE, (Parcel(insurer, lots, whole=file.data),), (), ())


def _owned_lots(file: B2File, practitioner: Practitioner, draft: _Draft) -> list[Lot]:
    owned = []
    for lot in file.lots:
        try:
            check_owner(lot, practitioner)
        except RoutingError as reason:
            draft.waiting.append(Waiting(reason, (Planned(lot, kind_of(lot), file.content(lot)),)))
        else:
            owned.append(lot)
    return owned


def _plan_each(
    file: B2File, lots: Iterable[Lot], draft: _Draft, context: SplitContext, route: Callable[[Lot], Insurer]
) -> None:
    lots = list(lots)
    as_dre = frozenset(
        (lot.ps_number, invoice.number) for lot in lots if kind_of(lot) is LotKind.DRE for invoice in lot.invoices
    )
    as_split = frozenset((lot.ps_number, invoice.number) for lot in lots for invoice in split_invoices(lot))
    for lot in lots:
        received = Planned(lot, kind_of(lot), file.content(lot))
        try:
            check_split(lot, as_dre)
            _check_dre(received, as_split)
            _forward(file, received, route(lot), draft, context)
        except RuleError as reason:
            draft.refused.append(Refused(reason, lot))
        except RoutingError as reason:
            draft.waiting.append(Waiting(reason, (received,)))


def _check_dre(received: Planned, as_split: frozenset[tuple[str, str]]) -> None:
    """The other half of C3: the DRE of an invoice that the concentrator is also asked to split."""
    lot = received.source
    if received.kind is not LotKind.DRE:
        return
    for invoice in lot.invoices:
        if (lot.ps_number, invoice.number) in as_split:
            raise RuleError(
                "99-et-dre",
                f"La facture {invoice.number} vient comme DRE et aussi comme FSE de contrat 99 dans le même message.",
                place=Place(invoice.start // RECORD + 1, 117),
                rule="C3",
            )


def _forward(file: B2File, received: Planned, insurer: Insurer, draft: _Draft, context: SplitContext) -> None:
    """Puts a lot in the parcel of its insurer and, for contract 99, its AMC flow in the parcels of the AMC."""
    lot = received.source
    outgoing, derived = received, tuple[DerivedLot, ...]()
    if received.altered:
        outgoing = Planned(lot, received.kind, amo_lot(file, lot, context.layouts))
        derived = derive_lots(file, lot, context.layouts, context.number_for, context.today)
    draft.insurers[insurer.id] = insurer
    draft.forward.setdefault(insurer.id, []).append(outgoing)
    for made in derived:
        _forward_derived(Planned(lot, LotKind.AMC, made.content, made), made.amc_number, draft, context)
    asked = {invoice.number for made in derived for invoice in made.invoices}
    draft.without_amc_part += [invoice.number for invoice in split_invoices(lot) if invoice.number not in asked]


def _forward_derived(planned: Planned, amc_number: str, draft: _Draft, context: SplitContext) -> None:
    try:
        insurer = route_amc(amc_number, context.directory)
    except RoutingError as reason:  # C7: the AMO flow goes on
        draft.waiting.append(Waiting(reason, (planned,)))
        return
    draft.insurers[insurer.id] = insurer
    draft.derived.setdefault(insurer.id, []).append(planned)


def _finish(draft: _Draft, shape: Shape) -> Plan:
    """Parcels in order of first appearance, the AMC flow after the rest, each of 999 lots at most (L5)."""
    parcels = [
        Parcel(draft.insurers[insurer_id], tuple(lots[first : first + MAX_LOTS]), keeps_header=keeps)
        for group, keeps in ((draft.forward, shape is Shape.SOURCE), (draft.derived, False))
        for insurer_id, lots in group.items()
        for first in range(0, len(lots), MAX_LOTS)
    ]
    return Plan(shape, tuple(parcels), tuple(draft.waiting), tuple(draft.refused), tuple(draft.without_amc_part))


def check_conservation(file: B2File, plan: Plan, layouts: Layouts) -> None:
    """L1, L2 and C4, whatever made the plan: raises ConservationError when what is in it is not what was received."""
    placed = [lot for parcel in plan.parcels for lot in parcel.lots] + [
        lot for held in plan.waiting for lot in held.lots
    ]
    received = [lot for lot in placed if lot.derived is None]
    ranks = sorted([lot.source.rank for lot in received] + [refused.lot.rank for refused in plan.refused])
    if ranks != list(range(len(file.lots))):
        raise _lost("chaque lot reçu doit se trouver une fois et une seule")
    for lot in placed:
        _check_lot(file, lot, layouts)
    for parcel in plan.parcels:
        order = [lot.source.rank for lot in parcel.lots]
        if order != sorted(order):
            raise _lost("l'ordre des lots a changé")
    if any(whole is not None and whole != file.data for whole in _wholes(plan)):
        raise _lost("un fichier transmis tel quel a changé")


def _wholes(plan: Plan) -> Iterable[bytes | None]:
    yield from (parcel.whole for parcel in plan.parcels)
    yield from (held.whole for held in plan.waiting)


def _check_lot(file: B2File, planned: Planned, layouts: Layouts) -> None:
    original = file.content(planned.source)
    if planned.content == original:
        return
    if not planned.altered:
        raise _lost("un lot seulement acheminé a changé")
    again = read_lots(planned.content, layouts, establishment=file.establishment)
    expected = planned.source.invoices
    if planned.derived is not None:
        expected = tuple(invoice for invoice in expected if invoice.contract == CONTRACT_SPLIT)
        if {invoice.number for invoice in again[0].invoices} - {invoice.number for invoice in expected}:
            raise _lost("le flux AMC contient une facture étrangère")
        return
    if len(again) != 1 or len(again[0].invoices) != len(expected):
        raise _lost("le lot destiné à l'AMO n'a pas les factures reçues")
    for before, after in zip(expected, again[0].invoices, strict=True):
        kept = planned.content[after.start : after.stop]
        if before.contract != CONTRACT_SPLIT and kept != file.content(before):
            raise _lost("une facture ordinaire a changé")


def _lost(what: str) -> ConservationError:
    return ConservationError("conservation", f"Contrôle de conservation : {what}.", rule="L1")
