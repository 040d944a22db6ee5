"""What passes between the POP door and the rest of the program: a mailbox being read, and the callables.

The door is handed callables and knows nothing of what stands behind them. They may block: the door runs them in
threads. An exception of any of them becomes `-ERR [SYS/TEMP]`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """A message of a mailbox. `uid` is its UIDL, 1 to 70 printable signs; `size` its octets before dot-stuffing."""

    id: int
    payload_id: int
    uid: str
    size: int


@dataclass(frozen=True, slots=True)
class Maildrop:
    """A mailbox as it was when it was opened; `reader` names the holder of its lock."""

    account: int
    reader: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """What stands behind the door."""

    authenticate: Callable[[str, str], int | None]
    """Takes a login and a password; the account they open, or None. Takes as long for an unknown login."""

    open: Callable[[int], Maildrop | None]
    """Locks an account's mailbox and lists it; None when somebody else reads it."""

    fetch: Callable[[Item], bytes]
    """The whole message, its lines ended by CRLF."""

    fetched: Callable[[Maildrop, Collection[int]], None]
    """Writes down that items (by id) were read."""

    renew: Callable[[Collection[str]], None]
    """Keeps the locks of these readers."""

    close: Callable[[Maildrop, Collection[int]], bool]
    """Removes items (by id) and unlocks, in one commit; False, and nothing removed, when the lock was lost."""

    release: Callable[[Maildrop], None]
    """Unlocks, and removes nothing."""
