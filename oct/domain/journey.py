"""The states through which what we carry goes, from its arrival to its answer (R4, L6, D2), written once as data.

The state diagrams of ARCHITECTURE.md are generated from `JOURNEYS`, and a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class MessageState(StrEnum):
    """Where a received message stands."""

    RECEIVED = "received"
    PROCESSED = "processed"
    REFUSED = "refused"
    HELD = "held"


class ConsignmentState(StrEnum):
    """Where a message that leaves stands: until its 250, or until it failed for good."""

    GATHERING = "gathering"
    """Not sealed yet: a file that waits for others of its destination (A15)."""
    REPLACED = "replaced"
    """Its lots left in one file with others, or wait in a hold."""
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class LotState(StrEnum):
    """Where a lot stands. What an insurer answers moves it from `sent` on; the others are ours alone."""

    RECEIVED = "received"
    HELD = "held"
    REFUSED_HERE = "refused_here"
    DUPLICATE = "duplicate"
    SENT = "sent"
    DELIVERED = "delivered"
    UNANSWERED = "unanswered"
    MANUAL = "manual"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    PAID = "paid"
    PART_PAID = "part_paid"
    REJECTED = "rejected"


AWAITING = frozenset({LotState.SENT, LotState.DELIVERED, LotState.UNANSWERED, LotState.MANUAL})
"""States of a lot that has left and that nobody has answered."""


@dataclass(frozen=True, slots=True)
class Move:
    """A transition and the step that makes it; `before` is None at the beginning of a journey."""

    before: StrEnum | None
    after: StrEnum
    step: str


_SETTLED = (LotState.PAID, LotState.PART_PAID, LotState.REJECTED)
"""What a RSP says last of a lot: later ones may change it, or take it back."""


JOURNEYS: Mapping[str, tuple[Move, ...]] = {
    "message": (
        Move(None, MessageState.RECEIVED, "receive"),
        Move(None, MessageState.HELD, "receive"),
        Move(MessageState.RECEIVED, MessageState.PROCESSED, "process"),
        Move(MessageState.RECEIVED, MessageState.REFUSED, "process"),
        Move(MessageState.RECEIVED, MessageState.HELD, "process"),
        Move(MessageState.RECEIVED, MessageState.HELD, "recovery"),
        Move(MessageState.HELD, MessageState.RECEIVED, "release"),
        Move(MessageState.HELD, MessageState.REFUSED, "release"),
        Move(MessageState.HELD, MessageState.PROCESSED, "attribution"),
    ),
    "consignment": (
        Move(None, ConsignmentState.WAITING, "process"),
        Move(None, ConsignmentState.GATHERING, "process"),
        Move(None, ConsignmentState.WAITING, "gather"),
        Move(ConsignmentState.GATHERING, ConsignmentState.REPLACED, "gather"),
        Move(ConsignmentState.GATHERING, ConsignmentState.REPLACED, "recovery"),
        Move(ConsignmentState.WAITING, ConsignmentState.DELIVERED, "send"),
        Move(ConsignmentState.WAITING, ConsignmentState.FAILED, "send"),
        Move(ConsignmentState.WAITING, ConsignmentState.FAILED, "recovery"),
        Move(ConsignmentState.DELIVERED, ConsignmentState.FAILED, "notices"),
        Move(ConsignmentState.DELIVERED, ConsignmentState.WAITING, "notices"),
        Move(ConsignmentState.DELIVERED, ConsignmentState.WAITING, "hosting"),
        Move(ConsignmentState.DELIVERED, ConsignmentState.WAITING, "redelivery"),
        Move(ConsignmentState.FAILED, ConsignmentState.WAITING, "release"),
        Move(ConsignmentState.FAILED, ConsignmentState.WAITING, "redelivery"),
    ),
    "lot": (
        Move(None, LotState.SENT, "process"),
        Move(None, LotState.HELD, "process"),
        Move(None, LotState.REFUSED_HERE, "process"),
        Move(None, LotState.DUPLICATE, "process"),
        Move(LotState.HELD, LotState.DUPLICATE, "process"),
        Move(LotState.SENT, LotState.DUPLICATE, "process"),
        Move(LotState.SENT, LotState.HELD, "gather"),
        Move(LotState.HELD, LotState.SENT, "release"),
        Move(LotState.HELD, LotState.REFUSED_HERE, "release"),
        Move(LotState.SENT, LotState.REFUSED_HERE, "release"),
        Move(LotState.SENT, LotState.DELIVERED, "send"),
        Move(LotState.DELIVERED, LotState.SENT, "notices"),
        Move(LotState.UNANSWERED, LotState.SENT, "notices"),
        Move(LotState.MANUAL, LotState.SENT, "notices"),
        Move(LotState.DELIVERED, LotState.UNANSWERED, "watch"),
        Move(LotState.UNANSWERED, LotState.MANUAL, "watch"),
        *(
            Move(before, after, "deliver")
            for before in (LotState.SENT, LotState.DELIVERED, LotState.UNANSWERED, LotState.MANUAL)
            for after in (LotState.ACKNOWLEDGED, LotState.REFUSED, *_SETTLED)
        ),
        Move(LotState.ACKNOWLEDGED, LotState.REFUSED, "deliver"),
        Move(LotState.REFUSED, LotState.ACKNOWLEDGED, "deliver"),
        *(Move(before, after, "deliver") for before in (LotState.ACKNOWLEDGED, LotState.REFUSED) for after in _SETTLED),
        *(Move(before, after, "deliver") for before in _SETTLED for after in _SETTLED if before is not after),
    ),
}
