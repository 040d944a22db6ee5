"""Puts committed events under the Merkle tree, signs its head, and lets the head leave the database (J2, T1).

Takes events as `store/journal.py` finds them, makes leaves of them and one signed head a turn, and only then opens the
transaction that writes these; at last appends the heads that the file does not have yet. The hot path never waits for
it. Failure: a run that could not be written is done again by the next; heads that cannot be published (StoreError
"tetes-non-publiees") wait in the database and are published, all, once the file can be written.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from oct.clock import Clock
from oct.errors import StoreError
from oct.store import journal
from oct.store.engine import Store
from oct.store.journal import Horizon
from oct.trace.canonical import canonical
from oct.trace.heads import Signer, last_published, publish, turn
from oct.trace.merkle import Growth
from oct.trace.verify import ProofError, leaf_hash

_BATCH = 1000
"""Events of one transaction: what a writer of SQLite waits for stays short, some 3 ms."""
_HEADS = 1000
_TILES = 500
"""Tiles kept in one run besides those that it completes: only a log that is older than they are has such."""

_log = structlog.get_logger()


class Sealer:
    """Seals and publishes; several may work on one database, each on its turn. `heads` is the file outside it."""

    def __init__(self, store: Store, signer: Signer, heads: Path, clock: Clock) -> None:
        self._store = store
        self._signer = signer
        self._heads = heads
        self._clock = clock
        self._horizon = Horizon()

    def run(self) -> int:
        """Seals all that is committed, and publishes; how many events. StoreError when a part must wait."""
        sealed, more = 0, True
        while more:
            count, more = self._seal_some()
            sealed += count
        self._keep_tiles()
        self._publish()
        return sealed

    def _seal_some(self) -> tuple[int, bool]:
        """One turn: how many events, and whether there may be more."""
        with self._store.read() as conn:
            look = journal.unsealed(conn, self._horizon, _BATCH)
            last = journal.last_head(conn)
        growth, leaves = Growth(look.standing.tree()), []
        for seq, event in enumerate(look.found, look.standing.size):
            leaf = leaf_hash(canonical(seq, event))
            growth.add(leaf)
            leaves.append((seq, event["id"], leaf))
        tree = growth.tree()
        now = max(self._clock(), last.at + 1 if last is not None else 0)
        head = self._signer.sign(tree.size, now, tree.root())
        with self._store.begin() as conn:
            if not journal.take_turn(conn, look.standing):
                return 0, True
            if leaves:
                journal.keep(conn, leaves, tree, head)
                journal.keep_completed(conn, growth.tiles)
            journal.move_mark(conn, look)
        self._horizon = look.horizon
        return len(leaves), look.more

    def _keep_tiles(self) -> None:
        with self._store.read() as conn:
            tiles = journal.tiles_to_keep(conn, _TILES)
        if tiles:
            with self._store.begin() as conn:
                journal.keep_tiles(conn, tiles)

    def _publish(self) -> None:
        try:
            with turn(self._heads):
                self._publish_missing()
        except (OSError, ProofError) as cause:
            raise StoreError(
                "tetes-non-publiees", f"Les têtes signées ne peuvent pas être écrites dans {self._heads}."
            ) from cause

    def _publish_missing(self) -> None:
        outside = last_published(self._heads)
        published_at = -1 if outside is None else outside.at
        with self._store.read() as conn:
            newest = journal.last_head(conn)
            waiting = journal.heads(conn, published_at, _HEADS)
        if outside is not None and (newest is None or newest.size < outside.size):
            _log.error("journal-en-retard-sur-ses-tetes", publiee=outside.size, tenue=newest.size if newest else 0)
        while waiting:
            publish(self._heads, waiting)
            with self._store.read() as conn:
                waiting = journal.heads(conn, waiting[-1].at, _HEADS)
