"""What every step works with, wired once by the bootstrap and handed to each.

The domain and the formats are pure; here stand the things that are not: the store, the vault, the clock, the numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

from oct.clock import Clock, paris
from oct.crypto.atrest import Vault
from oct.crypto.pseudonyms import Pseudonyms
from oct.domain.conventions import Conventions
from oct.domain.duplicates import Policy
from oct.domain.plan import SplitContext
from oct.envelope.opening import Opener
from oct.formats.entities import Entities
from oct.formats.layouts import Layouts
from oct.formats.profiles import Profiles
from oct.store.engine import Store
from oct.store.numbering import Numbering
from oct.store.registry import Registry, Snapshot

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class QuarantineBounds:
    """How much of what the door refuses is kept in 24 hours, in messages and bytes: of one network, and in all."""

    per_day: int = 200
    bytes_per_day: int = 128 << 20
    total_per_day: int = 1000
    total_bytes_per_day: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings that the steps follow. Durations are milliseconds."""

    name: str
    """The concentrator's name, on top of every ART."""
    number: str
    """SIREN, zero-filled to 14 digits: sender of the files that the concentrator makes."""
    address: str
    """Where practitioners and insurers write to, and what everything leaves from."""
    accept_clear: bool
    tries: int
    """How often a message is opened before it is held (H3)."""
    retry: tuple[int, ...]
    """Waits between two deliveries; the last one repeats."""
    expire: int
    """How long delivery is tried."""
    silence: int
    """How long an answer to a delivered lot is awaited (D1, D2)."""
    manual: int
    """After how long without answer people take over."""
    reemission: Policy
    """What is done with a lot that was received before."""
    grouping: int = 0
    """How long a file built here waits for others of its destination, to leave as one (A15); 0: not at all."""
    dloi_issuer: str = ""
    """Who sends the increments of the opposition list (O1), lower case; empty: nobody."""
    insurer_networks: tuple[Network, ...] = ()
    """From where insurers and that issuer write (H6); empty: from anywhere."""
    quarantine: QuarantineBounds = QuarantineBounds()
    undecipherable: int = 10
    """How many undecipherable messages of a sender in an hour before it is slowed down (H4)."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """The tools of the steps. `chance(n)` gives n random bytes."""

    store: Store
    vault: Vault
    pseudonyms: Pseudonyms
    clock: Clock
    chance: Callable[[int], bytes]
    numbering: Numbering
    registry: Registry
    opener: Opener
    layouts: Layouts
    profiles: Profiles
    entities: Entities
    conventions: Conventions
    rules: Rules

    def today(self) -> str:
        """AAMMJJ in legal French time, as the B2 norm dates files and lots."""
        return f"{self.now_in_paris():%y%m%d}"

    def now_in_paris(self) -> datetime:
        """The present instant in legal French time."""
        return paris(self.clock())

    def split_context(self, snapshot: Snapshot) -> SplitContext:
        """What planning needs of this machine."""
        return SplitContext(
            layouts=self.layouts,
            directory=snapshot.directory,
            number_for=self.numbering.next_lot_number,
            today=self.today(),
            oct_number=self.rules.number,
            conventions=self.conventions,
        )
