"""Keeps the story of what the door refuses: peer, code and reason of each refusal, never content.

Told by the door after each refusal. Written apart and bounded (`steps/journal/bounded`), so that nothing waits for it,
and honest traffic least of all: the first ten of a minute and a reason are events, the others one that counts them.
"""

from __future__ import annotations

from oct.smtp.transaction import Reply
from oct.steps.journal.bounded import BoundedEvents
from oct.steps.workshop import Workshop
from oct.store.alerts import REFUSAL, REFUSED
from oct.store.events import Event

_ONE_BY_ONE, _REASONS = 10, 100


class Refusals(BoundedEvents):
    """The step: `note` is handed to the door, from any thread; it neither waits nor fails."""

    def __init__(self, workshop: Workshop) -> None:
        super().__init__(workshop, singly=_ONE_BY_ONE, subjects=_REASONS)

    def note(self, peer: str, reply: Reply) -> None:
        """A peer (IP address) was refused."""
        reason = {"code": reply.code, "motif": reply.text.partition(", trace ")[0]}
        event = Event(self._workshop.clock(), REFUSAL, REFUSED, data={"pair": peer, **reason})
        self.add(event, reason, {**reason, "motif": ""})
