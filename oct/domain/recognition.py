"""Takes out of a plan the lots that need not leave again (D2), and marks the others with what they are (D3).

`recognise` takes a plan and what is remembered of its lots, and gives the plan again: known lots stand in `known`,
and every lot bears its judgement with the waiting sendings whose place it takes, so that none leaves twice.

A file split at the source is undivided (S1). A new one stays back only when all its lots do, and otherwise leaves
whole. One that waits goes on waiting, with the lots that come again in it, unless all of them do. When a new undivided
file cannot leave without such a lot, the waiting one has lost it, and so never leaves: whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from oct.domain.duplicates import Identity, Policy, Sending, judge, same_lot
from oct.domain.plan import Known, Parcel, Plan, Planned, Waiting


@dataclass(frozen=True, slots=True)
class HeldLots:
    """The lots (ids) that wait in an open hold; `undivided`: they are a file split at the source."""

    lot_ids: frozenset[int]
    undivided: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What is remembered of the lots of a message, one account's, the oldest sending first."""

    by_identity: Mapping[Identity, Sequence[Sending]] = field(default_factory=dict)
    by_digest: Mapping[bytes, Sequence[Sending]] = field(default_factory=dict)
    """Lots of the AMC flow: their numbers are the concentrator's own, what they were made of names them."""
    holds: Mapping[int, HeldLots] = field(default_factory=dict)
    """The open holds in which some of them wait."""

    def of(self, planned: Planned) -> Sequence[Sending]:
        """The earlier sendings of a lot's identity."""
        if planned.derived is not None:
            return self.by_digest.get(planned.digest, ())
        return self.by_identity.get(identity_of(planned), ())


@dataclass(frozen=True, slots=True)
class Reemission:
    """How re-sent lots are treated: the policy, the instant, and how long an answer is awaited (ms)."""

    policy: Policy
    now: int
    silence: int


def identity_of(planned: Planned) -> Identity:
    """How a lot was named when it was received."""
    return Identity(planned.source.ps_number, planned.source.number, planned.source.created_on)


def recognise(plan: Plan, past: Past, rules: Reemission) -> Plan:
    """The plan without the lots that need not leave again."""
    if not past.by_identity:
        return plan
    replaceable = _replaceable(plan, past)
    parcels: list[Parcel] = []
    waiting: list[Waiting] = []
    known: list[Known] = []
    for parcel in plan.parcels:
        lots = _judged(parcel.lots, parcel.insurer.id, past, replaceable, rules)
        undivided = parcel.whole is not None or parcel.keeps_header
        leaving, staying = _parted(lots, rules.policy, replaceable, undivided=undivided)
        known += [Known(lot, parcel.insurer) for lot in staying]
        parcels += [parcel._replace(lots=leaving)] if leaving else []
    for held in plan.waiting:
        lots = _judged(held.lots, None, past, replaceable, rules)
        leaving, staying = _parted(lots, rules.policy, replaceable, undivided=held.whole is not None)
        known += [Known(lot, None) for lot in staying]
        waiting += [replace(held, lots=leaving)] if leaving else []
    return replace(plan, parcels=tuple(parcels), waiting=tuple(waiting), known=tuple(known))


def _replaceable(plan: Plan, past: Past) -> frozenset[int]:
    """The open holds that may be divided, and those all of whose lots come again in this message."""
    again = {sending.lot_id for lot, insurer_id in _placed(plan) for sending in _same(lot, insurer_id, past)}
    return frozenset(hold_id for hold_id, held in past.holds.items() if not held.undivided or held.lot_ids <= again)


def _placed(plan: Plan) -> Iterator[tuple[Planned, int | None]]:
    for parcel in plan.parcels:
        yield from ((lot, parcel.insurer.id) for lot in parcel.lots)
    for waiting in plan.waiting:
        yield from ((lot, None) for lot in waiting.lots)


def _same(lot: Planned, insurer_id: int | None, past: Past) -> list[Sending]:
    return same_lot(lot.digest, insurer_id, past.of(lot))


def _judged(
    lots: Sequence[Planned], insurer_id: int | None, past: Past, replaceable: frozenset[int], rules: Reemission
) -> tuple[Planned, ...]:
    return tuple(
        lot._replace(
            history=judge(
                lot.digest,
                insurer_id,
                past.of(lot),
                replaceable=replaceable,
                now=rules.now,
                silence=rules.silence,
            ),
        )
        for lot in lots
    )


def _parted(
    lots: tuple[Planned, ...], policy: Policy, replaceable: frozenset[int], *, undivided: bool
) -> tuple[tuple[Planned, ...], tuple[Planned, ...]]:
    """What leaves and what stays back. Where all is forwarded, an undivided file that waits leaves all the same."""
    known = tuple(lot for lot in lots if lot.history.known)
    if policy is Policy.FORWARD:
        return tuple(_replacing(lot, replaceable) for lot in lots), ()
    if undivided and len(known) < len(lots):
        return lots, ()
    return tuple(lot for lot in lots if not lot.history.known), tuple(_replacing(lot, ()) for lot in known)


def _replacing(lot: Planned, hold_ids: Collection[int]) -> Planned:
    """The lot, taking the place of what waits in these holds alone."""
    taken = tuple(sending for sending in lot.history.replaces if sending.hold_id in hold_ids)
    return lot._replace(history=replace(lot.history, replaces=taken))
