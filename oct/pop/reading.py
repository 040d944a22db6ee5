"""A mailbox during the TRANSACTION state: messages by number, and the marks that QUIT will act upon.

Pure. Numbers are those of RFC 1939: from 1, fixed for the session, marked ones neither shown nor given again.
"""

from __future__ import annotations

from oct.pop.mailboxes import Item, Maildrop


class Reading:
    """What one session sees of a mailbox."""

    def __init__(self, maildrop: Maildrop) -> None:
        self.maildrop = maildrop
        self._marked: set[int] = set()

    def shown(self) -> list[tuple[int, Item]]:
        """Number and message of all that are not marked."""
        return [(number, item) for number, item in enumerate(self.maildrop.items, 1) if number not in self._marked]

    def item(self, number: int) -> Item | None:
        """The message of a number; None when there is none, or it is marked."""
        if not 0 < number <= len(self.maildrop.items) or number in self._marked:
            return None
        return self.maildrop.items[number - 1]

    def mark(self, number: int) -> bool:
        """Mark a message for removal; False when it is none that is shown."""
        if self.item(number) is None:
            return False
        self._marked.add(number)
        return True

    def unmark_all(self) -> None:
        """RSET."""
        self._marked.clear()

    def marked_ids(self) -> list[int]:
        """What QUIT removes."""
        return [self.maildrop.items[number - 1].id for number in sorted(self._marked)]
