"""R3: a return for several practitioners, cut so that each gets only its own entities.

The unit is the *block*: what is settled to one recipient (from its 040, with the headings of the same level around
it, to the next one); where no settlement is open, one lot (080); where no lot is open either, one invoice. All
references inside a block must allow one and the same practitioner (`oct.domain.returns` says what counts as
evidence). What stands outside any block must be an entity that `config/noemie.toml` names as shared: it is copied
into every part whose blocks follow it. An entity of an unknown code just before a settlement is neither this one's nor
the former's for certain. A control (990) goes to each part that has something in its reach. If one
entity's owner cannot be told, the whole return is held and nobody gets any of it.

A return for one practitioner leaves byte for byte (R1). Pure; raises nothing of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from oct.domain.returns import (
    CONTRADICTION,
    NOTHING,
    SEVERAL,
    UNKNOWN_LOT,
    UNKNOWN_SETTLEMENT,
    Ambiguous,
    LotRef,
    Reference,
    SettlementRef,
    common,
    references_in,
)
from oct.formats.entities import Entities, Entity, Role
from oct.formats.layouts import Layouts
from oct.formats.noemie import NoemieFile, select_entities, write_noemie
from oct.formats.noemie_counts import Reach, reaches_of, starts_invoice

OwnerOf = Callable[[Reference], frozenset[int]]
"""The practitioners that a reference allows; empty when nobody here is known for it."""

RecipientOf = Callable[[int], tuple[str, str]]
"""A practitioner's header type (TP, TE, SI) and its 9-digit number."""

ORPHAN = "Une partie du retour n'est rattachée à aucun professionnel de santé."

_OPENING = (Role.SETTLEMENT, Role.LOT, Role.INVOICE)
"""What opens a block; an earlier one holds all the later ones."""

_INSIDE = frozenset({Role.INVOICE, Role.AMO, Role.AMC, Role.REJECTION, Role.DETAIL})
"""Roles that are never a heading."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one practitioner gets. `unchanged` when it is the return itself, byte for byte."""

    practitioner_id: int
    content: bytes
    unchanged: bool


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """The parts, in the order in which their practitioners appear."""

    parts: tuple[Part, ...]


@dataclass(slots=True)
class _Block:
    kind: Role
    level: int
    context: tuple[int, ...]
    """Ranks of the shared entities in force where it opens."""
    ranks: list[int] = field(default_factory=list)


def split_by_practitioner(
    file: NoemieFile, owner_of: OwnerOf, recipient_of: RecipientOf, layouts: Layouts, rules: Entities
) -> SplitPlan | Ambiguous:
    """The parts of a return, one per practitioner, or why it is held. `recipient_of` is asked only when it is cut."""
    reaches = reaches_of(file.entities, rules)
    blocks, outside = _blocks(file.entities, reaches, rules)
    references: dict[int, list[Reference]] = {}
    for rank, reference in references_in(file.entities, rules):
        references.setdefault(rank, []).append(reference)
    owned: dict[int, list[_Block]] = {}
    for block in blocks:
        owner = _owner([reference for rank in block.ranks for reference in references.get(rank, ())], owner_of)
        if isinstance(owner, Ambiguous):
            return owner
        owned.setdefault(owner, []).append(block)
    if not owned:
        return Ambiguous(NOTHING)
    if len(owned) == 1:
        return SplitPlan((Part(next(iter(owned)), write_noemie(file), unchanged=True),))
    if outside - {rank for block in blocks for rank in block.context} or _unnamed_heading(file.entities, rules):
        return Ambiguous(ORPHAN)
    kept = {owner: _kept(theirs, reaches) for owner, theirs in owned.items()}
    return SplitPlan(
        tuple(
            Part(owner, select_entities(file, ranks, recipient_of(owner), layouts, rules), unchanged=False)
            for owner, ranks in kept.items()
        )
    )


def _owner(references: Sequence[Reference], owner_of: OwnerOf) -> int | Ambiguous:
    """The one practitioner of a block."""
    found: Mapping[Reference, frozenset[int]] = {reference: owner_of(reference) for reference in references}
    settlements = [owners for reference, owners in found.items() if isinstance(reference, SettlementRef)]
    lots = [owners for reference, owners in found.items() if isinstance(reference, LotRef)]
    if not all(settlements):
        return Ambiguous(UNKNOWN_SETTLEMENT)
    if not settlements and not (lots and all(lots)):
        return Ambiguous(UNKNOWN_LOT)
    allowed = common(list(found.values()))
    if not allowed:
        return Ambiguous(CONTRADICTION)
    return next(iter(allowed)) if len(allowed) == 1 else Ambiguous(SEVERAL)


def _kept(blocks: Sequence[_Block], reaches: Sequence[Reach]) -> set[int]:
    """The ranks of a part: its blocks, the shared entities over them, the controls that answer for them."""
    own = [rank for block in blocks for rank in block.ranks]
    shared = {rank for block in blocks for rank in block.context}
    controls = {reach.rank for reach in reaches if _reached(own, reach)}
    return {*own, *shared, *controls}


def _reached(own: Sequence[int], reach: Reach) -> bool:
    """Whether one of these ranks, in order, is in the reach of a control."""
    after_start = bisect_left(own, reach.rank - len(reach.members))
    return after_start < len(own) and own[after_start] < reach.rank


def _blocks(entities: Sequence[Entity], reaches: Sequence[Reach], rules: Entities) -> tuple[list[_Block], set[int]]:
    """The blocks of a return, and the ranks of the entities, controls left out, that stand outside any of them."""
    closing = {reach.rank: reach.level for reach in reaches}
    opening = _openings(entities, rules)
    blocks: list[_Block] = []
    outside: set[int] = set()
    context: list[int] = []
    current: _Block | None = None
    for rank, entity in enumerate(entities):
        if current is not None and current.level >= closing.get(rank, entity.level + 1):
            current = None
        if rank in closing:
            continue
        kind = opening.get(rank)
        if kind is not None and (current is None or _OPENING.index(kind) <= _OPENING.index(current.kind)):
            current = _Block(kind, entity.level, tuple(context))
            blocks.append(current)
        if current is not None:
            current.ranks.append(rank)
            continue
        outside.add(rank)
        if _is_shared(entity, rules):
            context = [*(other for other in context if _stays(entities[other], entity)), rank]
    return blocks, outside


def _openings(entities: Sequence[Entity], rules: Entities) -> dict[int, Role]:
    """Where a block may open, and of which kind: at an invoice, or at the first of the headings around a 040 or 080.

    Headings are neighbours of one level that belong to no invoice.
    """
    opening: dict[int, Role] = {}
    first = 0
    for rank, entity in enumerate(entities):
        role = rules.role(entity)
        if role in _INSIDE or role is Role.CONTROL:
            first = rank + 1
            if starts_invoice(entities, rank, rules):
                opening[rank] = Role.INVOICE
            continue
        if entity.level != entities[first].level:
            first = rank
        if role is Role.SETTLEMENT or (role is Role.LOT and first not in opening):
            opening[first] = role
    return opening


def _unnamed_heading(entities: Sequence[Entity], rules: Entities) -> bool:
    """Whether an entity of an unknown code stands just before a settlement: it may end what is above it as well."""
    unnamed = False
    level = 0
    for entity in entities:
        role = rules.role(entity)
        if role in _INSIDE or role is Role.CONTROL or entity.level != level:
            unnamed = False
        if role is Role.SETTLEMENT and unnamed:
            return True
        unnamed = unnamed or entity.code not in rules.by_code
        level = entity.level
    return False


def _is_shared(entity: Entity, rules: Entities) -> bool:
    layout = rules.layout(entity)
    return layout.shared and layout.level in {None, entity.level}


def _stays(other: Entity, newer: Entity) -> bool:
    """Whether a shared entity stays in force when a newer one comes: only one that stands above it."""
    return (other.level, other.code) < (newer.level, newer.code)
