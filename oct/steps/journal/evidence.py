"""Proves, while somebody looks, that an event is in the log and that the log only grew (J2).

Takes one snapshot of the database and gives what `oct/trace/verify.py` checks, with its verdict: a proof that does not
hold is shown as such. Nothing here needs the key that signs.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from oct.store import journal, log_lines
from oct.trace.merkle import TILE, Prover, tile_roots
from oct.trace.verify import TreeHead, is_consistent, is_included, leaf_hash


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An event's line, and the path from its leaf to the root of a head."""

    seq: int
    line: bytes
    leaf: bytes
    path: tuple[bytes, ...]
    head: TreeHead
    holds: bool


@dataclass(frozen=True, slots=True)
class Consistency:
    """The path which shows that the later head's log begins with the earlier one's."""

    earlier: TreeHead
    later: TreeHead
    path: tuple[bytes, ...]
    holds: bool


def inclusion(conn: Connection, seq: int) -> Inclusion | None:
    """The proof of the event at a place under the newest head; None when no head covers that place."""
    head = journal.last_head(conn)
    if head is None or not 0 <= seq < head.size:
        return None
    path = tuple(prover(conn, head).inclusion(seq))
    _, line = next(log_lines.lines(conn, seq + 1, first=seq), (seq, b""))
    leaf = leaf_hash(line)
    return Inclusion(seq, line, leaf, path, head, is_included(leaf, seq, head.size, head.root, path))


def consistency(conn: Connection, size: int) -> Consistency | None:
    """The proof that the newest head continues the head of this size; None when there is no such head."""
    earlier, later = journal.head_of(conn, size), journal.last_head(conn)
    if earlier is None or later is None:
        return None
    path = tuple(prover(conn, later).consistency(earlier.size, later.size))
    holds = is_consistent(earlier.size, earlier.root, later.size, later.root, path)
    return Consistency(earlier, later, path, holds)


def prover(conn: Connection, head: TreeHead | None) -> Prover:
    """Proofs under a head. Tiles that do not lead to its root are left aside, and made again of the leaves."""
    size = 0 if head is None else head.size

    def read(first: int, end: int) -> list[bytes]:
        return list(journal.leaves(conn, first, end))

    kept = Prover(size, journal.tiles(conn, size // TILE), read)
    if head is None or kept.root() == head.root:
        return kept
    return Prover(*tile_roots(journal.leaves(conn, 0, size)), read)
