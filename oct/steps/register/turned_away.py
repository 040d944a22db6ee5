"""Keeps the story of whom the console and the API turn away before they know who it is: a call without a token that
counts, a cookie whose session is over or was never one, a form without its own token, an address that cannot be.

Nothing of what was sent is written but its address and why it was refused; `actor` is whose the token or the session
was, when that is known. Anybody may cause these, so they are bounded (`steps/journal/bounded`): one event a minute,
address and reason, and one that counts the others of that minute.
"""

from __future__ import annotations

from oct.doors.admission import address_group
from oct.steps.journal.bounded import BoundedEvents
from oct.steps.workshop import Workshop
from oct.store.events import Event

_SUBJECTS = 20
"""Addresses and reasons of a minute: a flood from everywhere is a few rows as well."""


class TurnedAway(BoundedEvents):
    """The step: `note` is called from any thread; it neither waits nor fails."""

    def __init__(self, workshop: Workshop) -> None:
        super().__init__(workshop, singly=1, subjects=_SUBJECTS)

    def note(self, peer: str, status: int, why: str, page: str = "", actor: str = "") -> None:
        """A peer (IP address) was answered `status` for the reason of this code; `page` as an event may say it (J4)."""
        data = {"adresse": peer, "statut": status, "motif": why} | ({"page": page} if page else {})
        event = Event(self._workshop.clock(), "acces", "refuse", actor=actor, data=data)
        self.add(event, {"adresse": address_group(peer), "motif": why}, {"adresse": "", "motif": why})
