"""What the beat does for a broker: rings again for messages that are due and that nobody works on.

This is what makes every loss of a task harmless. Tasks that are still waiting when the next ring comes would pile up,
so these expire; and one look rings for the oldest only, whatever the length of the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oct.steps.workshop import Workshop
from oct.store import messages

MOST = 2_000
"""Messages that one look rings for."""
EXPIRES_S = 60.0


def ring_for_due(workshop: Workshop, ring: Callable[[Sequence[int]], None]) -> int:
    """How many messages it rang for. StoreError when the database is away."""
    with workshop.store.read() as conn:
        waiting = messages.due_ids(conn, workshop.clock(), MOST)
    ring(waiting)
    return len(waiting)
