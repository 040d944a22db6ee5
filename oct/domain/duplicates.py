"""Whether a lot was received before, and what follows from it (D2, D3).

A lot is known by PS number, lot number, lot date and insurer, and by its bytes as they were *received*: what contract
99 changes on the way out does not count. `judge` takes the earlier sendings of one lot and gives a verdict; it looks
nothing up and moves nothing. Only sendings of the same account are handed in, so that nobody learns of another's lots.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from oct.domain.journey import LotState


class Policy(StrEnum):
    """What is done with a lot that was received before."""

    RECOGNISE = "reconnaitre"
    FORWARD = "tout-transmettre"


class Verdict(StrEnum):
    """What a lot is, beside its earlier sendings. The values are words of the trace."""

    NEW = "nouveau"
    ACKNOWLEDGED = "deja-accepte"
    """Its insurer accepted it: the stored ARL goes out again, not the lot."""
    WAITING = "en-attente"
    """It is on its way, or was delivered a short while ago: the answer is awaited."""
    OVERDUE = "sans-reponse"
    """Delivered long ago and never answered: it is forwarded again."""
    RETRY = "refait"
    """Refused, held or undeliverable: it is treated as new."""
    DIFFERENT = "different"
    """D3: the same identity with other bytes, which is no duplicate."""


class Identity(NamedTuple):
    """What names a lot whatever its insurer; `date` is AAMMJJ."""

    ps_number: str
    number: str
    date: str


@dataclass(frozen=True, slots=True)
class Sending:
    """An earlier sending of a lot. Instants are milliseconds."""

    lot_id: int
    first_lot_id: int | None
    """The sending that this one repeats."""
    insurer_id: int | None
    """None while its insurer is not known."""
    digest: bytes
    """Of the lot as received, see `Planned.digest`."""
    state: LotState
    received_at: int
    trace: str
    """Trace number of its message."""
    delivered_at: int | None = None
    acknowledged_at: int | None = None
    """When its insurer first accepted it."""
    failed: bool = False
    """It could not be handed over."""
    hold_id: int | None = None
    """The open hold in which it waits."""

    @property
    def root_id(self) -> int:
        """The lot whose first sending this is, or repeats."""
        return self.first_lot_id or self.lot_id


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the sending it rests on, and the sendings that wait in an open hold and whose place the lot takes."""

    verdict: Verdict
    first: Sending | None = None
    replaces: tuple[Sending, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the lot need not leave again."""
        return self.verdict in _KNOWN

    @property
    def first_lot_id(self) -> int | None:
        """The lot that this one repeats; None when it stands for itself."""
        repeats = self.known or self.verdict is Verdict.OVERDUE
        return self.first.root_id if repeats and self.first is not None else None


NEW = Judgement(Verdict.NEW)

ACCEPTED = frozenset({LotState.ACKNOWLEDGED, LotState.PAID, LotState.PART_PAID})
"""The insurer has the lot. One that it rejected whole may come again, as one that it refused."""

_KNOWN = frozenset({Verdict.ACKNOWLEDGED, Verdict.WAITING})
_HANDED_OVER = frozenset({LotState.DELIVERED, LotState.UNANSWERED, LotState.MANUAL})


def same_lot(digest: bytes, insurer_id: int | None, earlier: Sequence[Sending]) -> list[Sending]:
    """The sendings of the very same lot. A destination that is not known, now or then, excludes nothing."""
    return [
        sending
        for sending in earlier
        if sending.digest == digest
        and sending.state is not LotState.DUPLICATE
        and (insurer_id is None or sending.insurer_id in {None, insurer_id})
    ]


def judge(
    digest: bytes,
    insurer_id: int | None,
    earlier: Sequence[Sending],
    *,
    replaceable: Collection[int],
    now: int,
    silence: int,
) -> Judgement:
    """The verdict on a lot. `earlier` are the sendings of its identity, the oldest first.

    `replaceable` are the open holds that lots may leave because they come again; what waits in another one goes on
    waiting there. `silence` (ms) is how long an answer is awaited.
    """
    same = same_lot(digest, insurer_id, earlier)
    if not same:
        others = [one for one in earlier if one.state is not LotState.DUPLICATE and one.insurer_id == insurer_id]
        return Judgement(Verdict.DIFFERENT, others[-1]) if others and insurer_id is not None else NEW
    waiting = tuple(one for one in same if one.hold_id is not None)
    if accepted := [one for one in same if one.state in ACCEPTED]:
        return Judgement(Verdict.ACKNOWLEDGED, min(accepted, key=_accepted_at), waiting)
    if awaited := [one for one in same if _is_awaited(one, replaceable, now - silence)]:
        return Judgement(Verdict.WAITING, awaited[-1], waiting)
    if unanswered := [one for one in same if one.state in _HANDED_OVER and not one.failed]:
        return Judgement(Verdict.OVERDUE, unanswered[0], waiting)
    return Judgement(Verdict.RETRY, same[-1], waiting)


def _accepted_at(sending: Sending) -> int:
    return sending.acknowledged_at or sending.received_at


def _is_awaited(sending: Sending, replaceable: Collection[int], silent_since: int) -> bool:
    if sending.hold_id is not None:
        return sending.hold_id not in replaceable
    if sending.failed:
        return False
    if sending.state in _HANDED_OVER:
        return sending.delivered_at is None or sending.delivered_at > silent_since
    return sending.state is LotState.SENT
