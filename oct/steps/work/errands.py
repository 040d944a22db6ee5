"""What one claim took to be sent: consignments in the order of their being due, with their contents as they are needed.

Nothing is taken any more once half of the lease is over: whoever sends slowly must not go on with what others may have
claimed meanwhile. What was not taken is handed back as if it had never been claimed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from oct.steps.hosting import is_hosted
from oct.steps.work.batches import by_weight
from oct.steps.workshop import Workshop
from oct.store import consignments, payloads
from oct.store.consignments import Consignment
from oct.store.registry import Snapshot

_MOST_BYTES = 1 << 20
"""Of contents that are read from the database together."""
_MARGIN_MS = 5_000
"""So long before the end of its lease an exchange is cut, or a quarter of it."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A consignment that `owner` has leased; its exchange ends at `until` (ms), before the lease does. `content` is
    None when it was destroyed (R6), or when it is not to leave but to be deposited here."""

    consignment: Consignment
    owner: str
    until: int
    snapshot: Snapshot
    content: bytes | None = field(repr=False)


class Errands:
    """`claimed` by `owner` at `now` (ms), for `lease` milliseconds."""

    def __init__(
        self, workshop: Workshop, claimed: Sequence[Consignment], owner: str, *, now: int = 0, lease: int = 0
    ) -> None:
        self._workshop = workshop
        self._owner = owner
        self._portions = deque(by_weight(claimed, _MOST_BYTES))
        self._ready: deque[Errand] = deque()
        self._until = now + lease - min(_MARGIN_MS, lease // 4)
        self._no_later = now + lease // 2

    @property
    def owner(self) -> str:
        """Who claimed them."""
        return self._owner

    def take(self) -> Errand | None:
        """The next one; None when there is none, or no time. StoreError when the database is away."""
        if not self._ready and self._portions and self._workshop.clock() < self._no_later:
            self._read(self._portions.popleft())
        return self._ready.popleft() if self._ready and self._workshop.clock() < self._no_later else None

    def rest(self) -> list[Consignment]:
        """What was not taken, and is not to be taken any more."""
        left = [errand.consignment for errand in self._ready]
        left += [consignment for portion in self._portions for consignment in portion]
        self._ready.clear()
        self._portions.clear()
        return left

    def hand_back(self) -> None:
        """Gives up what was not taken. StoreError when the database is away."""
        hand_back(self._workshop, [(one, self._owner) for one in self.rest()])

    def _read(self, portion: Sequence[Consignment]) -> None:
        workshop = self._workshop
        with workshop.store.read() as conn:
            snapshot = workshop.registry.current(conn)
            leaving = [one.payload_id for one in portion if not is_hosted(one, snapshot)]
            contents = payloads.get_many(conn, workshop.vault, leaving) if leaving else {}
        for one in portion:
            # an ARL that goes out again shares its payload with the first
            self._ready.append(Errand(one, self._owner, self._until, snapshot, contents.get(one.payload_id)))


def hand_back(workshop: Workshop, left: Sequence[tuple[Consignment, str]]) -> None:
    """Ends the claims of what was not tried, each with its claimant: the next claim sees nothing of them. StoreError
    when the database is away."""
    if left:
        with workshop.store.begin() as conn:
            consignments.hand_back(conn, [(one.id, owner) for one, owner in left])
