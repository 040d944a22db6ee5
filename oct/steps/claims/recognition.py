"""Recognises re-sent lots while a message is settled (D2, D3), and keeps that true until it is written.

Most lots are new, so a message is first presumed to hold none but such. When it is written, `Ledger` tells whether
that stands. A message of which it does not is settled again, after `recognise_plan` has read what is remembered of its
lots, outside of any transaction that writes; and again as long as the same lots were written meanwhile, by another
message of the same transaction or over another connection.

A lot that waits in a hold and comes again gives way to the new sending in the transaction that writes it: it becomes a
duplicate and leaves the hold, which is closed as `remplace` when nothing is left in it, so that nothing goes out twice
whatever is decided later. A hold that was decided, or lost a lot, meanwhile counts as something written meanwhile.

The stored ARL leaves as it left the first time: the same bytes under the same Message-ID, for the registered mailbox
of today. They are what was delivered and traced; making them anew could only alter them, or need what is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from oct.clock import paris
from oct.domain.duplicates import Identity, Verdict
from oct.domain.model import Practitioner
from oct.domain.plan import Parcel, Plan, Planned, Waiting
from oct.domain.recognition import HeldLots, Past, Reemission, identity_of, recognise
from oct.domain.resending_notes import Instants, different, note
from oct.steps.workshop import Workshop
from oct.store import sendings
from oct.store.consignments import Consignment
from oct.store.sendings import Standing


@dataclass(frozen=True, slots=True)
class Basis:
    """What a message's judgements rest on: the rows there were of its lots, and what waited in their holds.
    `divided` are the holds that lots are to leave."""

    practitioner_id: int
    identities: frozenset[Identity]
    rows: Standing
    holds: Mapping[int, HeldLots]
    divided: frozenset[int]


@dataclass(frozen=True, slots=True)
class Recognised:
    """A plan whose lots bear their judgements, and for lots accepted earlier (ids) the ARL that goes out again."""

    plan: Plan
    basis: Basis
    arls: Mapping[int, Consignment] = field(default_factory=dict)


def recognise_plan(workshop: Workshop, practitioner: Practitioner, plan: Plan, *, presumed_new: bool) -> Recognised:
    """The plan without what need not leave again; `presumed_new`: as if nothing were remembered. StoreError when the
    database is away."""
    groups: tuple[Parcel | Waiting, ...] = (*plan.parcels, *plan.waiting)
    lots = [lot for group in groups for lot in group.lots]
    identities = frozenset(identity_of(lot) for lot in lots)
    rules = Reemission(workshop.rules.reemission, workshop.clock(), workshop.rules.silence)
    if presumed_new:
        nothing = Basis(practitioner.id, identities, frozenset(), {}, frozenset())
        return Recognised(recognise(plan, Past(), rules), nothing)
    with workshop.store.read() as conn:
        derived = {lot.digest for lot in lots if lot.derived is not None}
        past = sendings.past_of(conn, practitioner.id, identities, derived)
        plan = recognise(plan, past, rules)
        accepted = [known.lot.history.first for known in plan.known if _accepted(known.lot)]
        lot_ids = [first.lot_id for first in accepted if first is not None]
        arls = sendings.acknowledgements(conn, practitioner.id, lot_ids) if lot_ids else {}
    rows = frozenset((one.lot_id, str(one.state)) for some in past.by_identity.values() for one in some)
    basis = Basis(practitioner.id, identities, rows, past.holds, _divided(plan))
    addressed = {lot_id: arl._replace(recipient=practitioner.address) for lot_id, arl in arls.items()}
    return Recognised(plan, basis, addressed)


class Ledger:
    """What stands of the lots of some messages, in the transaction that is about to write them."""

    def __init__(self, conn: Connection, bases: Sequence[Basis]) -> None:
        wanted: dict[int, set[Identity]] = {}
        for basis in bases:
            wanted.setdefault(basis.practitioner_id, set()).update(basis.identities)
        holds = frozenset[int]().union(*(basis.holds for basis in bases))
        if wanted:
            sendings.lock(conn, wanted.keys(), holds)
        self._held = sendings.held_lots(conn, holds)
        self._standing = sendings.standing(conn, wanted) if wanted else {}
        self._asked: set[tuple[int, Identity]] = set()

    def admits(self, basis: Basis) -> bool:
        """Whether the message may be written as it was settled; if so, it counts as written.

        To be asked in the order of arrival: a message that has lots of an earlier one waits for it, admitted or not, so
        that of two sendings it is the later one that is recognised.
        """
        keys = {(basis.practitioner_id, identity) for identity in basis.identities}
        rows = frozenset[tuple[int, str]]().union(*(self._standing.get(key, frozenset()) for key in keys))
        waits = not keys.isdisjoint(self._asked)
        self._asked |= keys
        if waits or rows != basis.rows:
            return False
        if any(self._held.get(hold_id) != held for hold_id, held in basis.holds.items()):
            return False
        for hold_id in basis.divided:
            del self._held[hold_id]
        return True


def noted(planned: Planned, insurer: str, *, leaves: bool, arls: Mapping[int, Consignment]) -> str:
    """What the ART says of a lot that was received before; empty for a new one."""
    first = planned.history.first
    if first is None:
        return ""
    return note(planned.history, _instants(planned), insurer, leaves=leaves, arl=first.lot_id in arls)


def different_lots(leaving: Iterable[tuple[Planned, str]]) -> list[str]:
    """D3: a warning for each lot whose identity was used for other bytes."""
    return [
        different(lot.source.number, lot.history, _instants(lot), insurer)
        for lot, insurer in leaving
        if lot.history.verdict is Verdict.DIFFERENT
    ]


def _divided(plan: Plan) -> frozenset[int]:
    groups: tuple[Parcel | Waiting, ...] = (*plan.parcels, *plan.waiting)
    replaced = (sending.hold_id for group in groups for lot in group.lots for sending in lot.history.replaces)
    return frozenset(hold_id for hold_id in replaced if hold_id is not None)


def _accepted(lot: Planned) -> bool:
    return lot.history.verdict is Verdict.ACKNOWLEDGED


def _instants(planned: Planned) -> Instants:
    first = planned.history.first
    if first is None:
        return Instants(paris(0))
    return Instants(
        paris(first.received_at),
        paris(first.delivered_at) if first.delivered_at is not None else None,
        paris(first.acknowledged_at) if first.acknowledged_at is not None else None,
    )
