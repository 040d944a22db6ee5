"""No event is missed by the sealers (J2), whatever commits late, gives up, dies or starts anew between two statements.

On PostgreSQL alone: SQLite has one writer at a time, so nothing can come late there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from oct.steps.journal import seal
from oct.store import events, journal
from oct.store.engine import open_store
from oct.store.tables import event_leaves
from tests.steps.journal_rig import Journal

MOST_OPEN = 3
DEEDS = st.sampled_from(["write", "open", "commit", "give up"])
MEANWHILE = st.lists(DEEDS | st.just("seal"), max_size=3)
TURNS = st.tuples(st.sampled_from(["turn", "run", "start"]), MEANWHILE, MEANWHILE)
"""One turn, or all of a run, or the first of a new process; what others do while somebody looks, between the snapshot
and the id that is taken after it, and what they do between the look and the turn."""


class World:
    """A log, those who write it in transactions that stay open, and who seals it."""

    def __init__(self, log: Journal) -> None:
        self.log = log
        self.open: list[tuple[AbstractContextManager[Connection], Connection]] = []

    def do(self, deed: str) -> None:
        if deed == "write":
            self.log.write(2)
        elif deed == "open" and len(self.open) < MOST_OPEN:
            block: AbstractContextManager[Connection] = self.log.store.begin()
            conn = block.__enter__()
            events.append(conn, [self.log.event(0)])
            self.open.append((block, conn))
        elif deed == "seal":
            self.log.another_sealer().run()
        elif self.open and deed != "open":
            block, conn = self.open.pop(0)
            if deed == "give up":
                conn.rollback()
            block.__exit__(None, None, None)

    def seal(self, how: str, looking: list[str], looked: list[str]) -> None:
        def after(deeds: Iterator[str], step: Callable[..., Any]) -> Callable[..., Any]:
            def stepped(*asked: Any) -> Any:
                for deed in deeds:
                    self.do(deed)
                return step(*asked)

            return stepped

        if how == "start":
            self.log.sealer = self.log.another_sealer()
        with (
            patch.object(journal, "_begun", after(iter(looking), journal._begun)),
            patch.object(journal, "take_turn", after(iter(looked), journal.take_turn)),
        ):
            if how == "turn":
                self.log.sealer._seal_some()
            else:
                self.log.seal()

    def end(self) -> None:
        """All is committed; a look that was under way ends, and another one finds what came late."""
        while self.open:
            self.do("commit")
        for _ in range(2):
            self.log.seal()
        self.log.sealer = self.log.another_sealer()
        assert self.log.seal() == 0


def test_every_event_that_is_committed_is_sealed_once(postgres_url: str, tmp_path: Path) -> None:
    """In steps and batches of a few events."""
    store = open_store(postgres_url)
    log = Journal(store, tmp_path)

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(st.lists(DEEDS | TURNS, min_size=4, max_size=20))
    def never_missed(deeds: list[str | tuple[str, list[str], list[str]]]) -> None:
        world = World(log)
        for deed in deeds:
            if isinstance(deed, str):
                world.do(deed)
            else:
                world.seal(*deed)
        world.end()
        with store.read() as conn:
            assert journal.unsealed_count(conn) == 0
            places = conn.execute(select(event_leaves.c.seq).order_by(event_leaves.c.seq)).scalars().all()
        assert places == list(range(len(places)))

    with patch.object(journal, "_STEP", 3), patch.object(seal, "_BATCH", 4):
        never_missed()
    log.live()
    store.close()
