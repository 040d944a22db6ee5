"""What the counters of a NOEMIE return count: recognises the convention of a received file, and counts again.

The closing entities (990) and the 999 trailer carry counters and sums whose definition is not public (A18). The
program knows several conventions by name, `config/noemie.toml` says which may be met. Reading: all the counters of
a kind must follow one and the same convention, otherwise bytes were lost or changed on the way and the return is
refused (`noemie-controle`, `noemie-fin`). Splitting (R3): the parts are counted by the convention of the whole.

Pure: takes entities, gives numbers and patched bytes. Source: annex 5.3; layout `noemie_trailer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from oct.errors import FormatError, Place
from oct.formats.entities import NEGATIVE, ControlCount, Entities, Entity, LotCount, RecordCount, Role, Total
from oct.formats.layouts import RECORD, Layout, Layouts

LEVELS = 100

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Conventions:
    """The convention that a file follows for each of its counters."""

    control_counter: ControlCount
    control_sum: Total
    trailer_records: RecordCount
    trailer_lots: LotCount
    trailer_sum: Total


@dataclass(frozen=True, slots=True)
class Reach:
    """What one control answers for: the entities (controls among them) since the level it closes was opened.

    `rank` is the 0-based rank of the control in the file, `level` the level it closes.
    """

    rank: int
    level: int
    members: Sequence[Entity]


@dataclass(frozen=True, slots=True)
class Whole:
    """What a trailer answers for: all the entities, and the length of the body in bytes."""

    entities: Sequence[Entity]
    body_length: int


def reaches_of(entities: Sequence[Entity], rules: Entities) -> list[Reach]:
    """The reach of each control, in file order. FormatError when a control does not say which level it closes."""
    reaches: list[Reach] = []
    after_entity, after_close = [0] * LEVELS, [0] * LEVELS
    level_of_head: dict[str, int] = {}
    for rank, entity in enumerate(entities):
        if rules.role(entity) is Role.CONTROL:
            level = _closed_level(entity, rules, level_of_head)
            if level is None:
                raise _control_error(rank, entity, rules, "closed", "ne dit pas quel niveau elle ferme")
            start = max(*after_entity[:level], *after_close[: level + 1])
            reaches.append(Reach(rank, level, entities[start:rank]))
            after_close[level] = rank + 1
        else:
            after_entity[entity.level] = rank + 1
            level_of_head[entity.code] = level_of_head[f"{entity.code}{entity.level:02}"] = entity.level
    return reaches


def recognise(whole: Whole, trailer: bytes, rules: Entities, layouts: Layouts) -> Conventions:
    """The conventions that all the counters of this file follow. FormatError, with its place, when none fits."""
    known = rules.conventions
    reaches = reaches_of(whole.entities, rules)
    frame, noemie = layouts["file_trailer"], layouts["noemie_trailer"]
    records, lots = _said(trailer, frame, "record_count"), _said(trailer, frame, "lot_count")
    total = _said(trailer, noemie, "amount_sum")
    if noemie.text(trailer, "amount_sign") in NEGATIVE:
        total = -total
    return Conventions(
        control_counter=_fitting_control(
            "counter", known.control_counter, reaches, whole, rules, lambda how, reach: count(how, reach, rules)
        ),
        control_sum=_fitting_control(
            "sum", known.control_sum, reaches, whole, rules, lambda how, reach: add_up(how, reach.members, rules)
        ),
        trailer_records=_fitting_trailer(
            frame, "record_count", known.trailer_records, records, lambda how: count_records(how, whole)
        ),
        trailer_lots=_fitting_trailer(
            frame, "lot_count", known.trailer_lots, lots, lambda how: count_lots(how, whole, rules)
        ),
        trailer_sum=_fitting_trailer(
            noemie, "amount_sum", known.trailer_sum, total, lambda how: add_up(how, whole.entities, rules)
        ),
    )


def preferred(rules: Entities) -> Conventions:
    """The likeliest conventions: those of a file that we make ourselves."""
    known = rules.conventions
    return Conventions(
        control_counter=known.control_counter[0],
        control_sum=known.control_sum[0],
        trailer_records=known.trailer_records[0],
        trailer_lots=known.trailer_lots[0],
        trailer_sum=known.trailer_sum[0],
    )


def recount(entities: Sequence[Entity], conventions: Conventions, rules: Entities) -> list[bytes]:
    """The bytes of the entities, the controls counted again; everything else as it was."""
    raws = [entity.raw for entity in entities]
    for reach in reaches_of(entities, rules):
        values: dict[str, str | int] = {}
        if conventions.control_counter is not ControlCount.UNSET:
            values["counter"] = count(conventions.control_counter, reach, rules)
        if conventions.control_sum is not Total.UNSET:
            total = add_up(conventions.control_sum, reach.members, rules)
            values |= {"sum": abs(total), "sign": _sign(total, rules.text(entities[reach.rank], "sign"))}
        raws[reach.rank] = rules.patch(raws[reach.rank], **values)
    return raws


def recount_trailer(trailer: bytes, whole: Whole, conventions: Conventions, rules: Entities, layouts: Layouts) -> bytes:
    """The 999 record with its counters and its sum counted again."""
    frame, noemie = layouts["file_trailer"], layouts["noemie_trailer"]
    if conventions.trailer_records is not RecordCount.UNSET:
        trailer = frame.patch(trailer, record_count=count_records(conventions.trailer_records, whole))
    if conventions.trailer_lots is not LotCount.UNSET:
        trailer = frame.patch(trailer, lot_count=count_lots(conventions.trailer_lots, whole, rules))
    if conventions.trailer_sum is not Total.UNSET:
        total = add_up(conventions.trailer_sum, whole.entities, rules)
        sign = _sign(total, noemie.text(trailer, "amount_sign"))
        trailer = noemie.patch(trailer, amount_sum=abs(total), amount_sign=sign)
    return trailer


def count(how: ControlCount, reach: Reach, rules: Entities) -> int:
    """The counter of a control."""
    return _COUNTED[how](reach, rules)


def add_up(how: Total, entities: Sequence[Entity], rules: Entities) -> int:
    """A sum of the amounts paid, in centimes, negative when more was taken back than paid."""
    roles = _ADDED[how]
    return sum(rules.signed(entity, "paid") for entity in entities if rules.role(entity) in roles)


def count_records(how: RecordCount, whole: Whole) -> int:
    """The record count of a trailer."""
    body = -(-whole.body_length // RECORD)
    counted = {
        RecordCount.RECORDS: body + 2,
        RecordCount.ENTITIES_FRAME: len(whole.entities) + 2,
        RecordCount.ENTITIES: len(whole.entities),
        RecordCount.BODY: body,
        RecordCount.UNSET: 0,
    }
    return counted[how]


def count_lots(how: LotCount, whole: Whole, rules: Entities) -> int:
    """The lot count of a trailer."""
    if how is LotCount.DISTINCT:
        lots = {(rules.text(entity, "lot_date"), rules.text(entity, "lot_number")) for entity in whole.entities}
        return len(lots - {("", "")})
    return _role_count(whole.entities, rules, Role.LOT) if how is LotCount.LOTS else 0


def starts_invoice(entities: Sequence[Entity], index: int, rules: Entities) -> bool:
    """Whether an invoice begins here: a 100, or a 102 that does not repeat the number of the 100 just before it."""
    entity = entities[index]
    if rules.role(entity) is not Role.INVOICE:
        return False
    before = entities[index - 1] if index else None
    if before is None or rules.role(before) is not Role.INVOICE or before.code == entity.code:
        return True
    return rules.text(before, "invoice_number") != rules.text(entity, "invoice_number")


def _closed_level(control: Entity, rules: Entities, level_of_head: Mapping[str, int]) -> int | None:
    """The level that a control closes, 1 to 98; `level_of_head` knows those met so far, by code and by code + level."""
    text = rules.text(control, "closed")
    level = level_of_head.get(text[:5]) or (level_of_head.get(text) if len(text) == 3 else None)
    if level is None and text.isascii() and text.isdigit():
        level = int(text[:2]) or int(text)
    return level if level is not None and 0 < level < LEVELS - 1 else None


def _fitting_control(
    field: str,
    known: Sequence[C],
    reaches: Sequence[Reach],
    whole: Whole,
    rules: Entities,
    counted: Callable[[C, Reach], int],
) -> C:
    """The first convention that all controls follow; otherwise the culprit is where the last hope ended."""
    read = rules.signed if field == "sum" else rules.number
    said = [read(whole.entities[reach.rank], field) for reach in reaches]
    farthest = 0
    for how in known:
        differing = (i for i, reach in enumerate(reaches) if counted(how, reach) != said[i])
        first = next(differing, None)
        if first is None:
            return how
        farthest = max(farthest, first)
    rank = reaches[farthest].rank
    raise _control_error(rank, whole.entities[rank], rules, field, "contredit ce qui la précède")


def _fitting_trailer(layout: Layout, field: str, known: Sequence[C], said: int, counted: Callable[[C], int]) -> C:
    for how in known:
        if counted(how) == said:
            return how
    place = Place(None, layout.fields[field].first)
    raise FormatError("noemie-fin", "La fin du retour (999) contredit son contenu.", place=place, rule="L7")


def _said(trailer: bytes, layout: Layout, field: str) -> int:
    """A number of the trailer, 0 when blank."""
    return layout.number(trailer, field) if layout.raw(trailer, field).strip() else 0


def _sign(total: int, shown: str) -> str:
    """The sign of a sum, in the spelling that the file shows when it is still right."""
    if shown and (shown in NEGATIVE) == (total < 0):
        return shown
    return "N" if total < 0 else "P"


def _control_error(rank: int, control: Entity, rules: Entities, field: str, fault: str) -> FormatError:
    return FormatError(
        "noemie-controle",
        f"L'entité de contrôle {control.code}, de rang {rank + 1} dans le retour, {fault} (zone {field}).",
        place=Place(None, rules.layout(control).fields[field].start + 1),
        rule="L7",
    )


def _role_count(entities: Sequence[Entity], rules: Entities, role: Role) -> int:
    return sum(rules.role(entity) is role for entity in entities)


def _below(reach: Reach, rules: Entities) -> int:
    return sum(entity.level > reach.level and rules.role(entity) is not Role.CONTROL for entity in reach.members)


def _invoices(reach: Reach, rules: Entities) -> int:
    return sum(starts_invoice(reach.members, index, rules) for index in range(len(reach.members)))


_COUNTED: Mapping[ControlCount, Callable[[Reach, Entities], int]] = {
    ControlCount.BELOW: _below,
    ControlCount.NEXT: lambda reach, _: sum(entity.level == reach.level + 1 for entity in reach.members),
    ControlCount.WITHIN: lambda reach, rules: len(reach.members) - _role_count(reach.members, rules, Role.CONTROL),
    ControlCount.BELOW_CONTROLS: lambda reach, rules: (
        _below(reach, rules) + _role_count(reach.members, rules, Role.CONTROL)
    ),
    ControlCount.WITHIN_CONTROLS: lambda reach, _: len(reach.members),
    ControlCount.WITHIN_CONTROLS_ITSELF: lambda reach, _: len(reach.members) + 1,
    ControlCount.INVOICES: _invoices,
    ControlCount.SETTLEMENTS: lambda reach, rules: _role_count(reach.members, rules, Role.SETTLEMENT),
    ControlCount.UNSET: lambda _, __: 0,
}

_ADDED: Mapping[Total, frozenset[Role]] = {
    Total.PAID: frozenset({Role.AMO, Role.AMC}),
    Total.AMO: frozenset({Role.AMO}),
    Total.AMC: frozenset({Role.AMC}),
    Total.UNSET: frozenset(),
}
