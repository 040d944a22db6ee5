"""A journal at work for the tests: invented messages, their events, a sealer whose clock is moved, and an attacker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from oct.steps.journal.logbook import Logbook
from oct.steps.journal.proof import export, verify_live
from oct.steps.journal.seal import Sealer
from oct.store import events
from oct.store.engine import Store
from oct.store.events import Event
from oct.trace.heads import Signer, create_key, load_signer
from oct.trace.verify import ProofError, TreeHead, check_bundle, read_heads, read_public_keys
from tests.adapters.store.arrivals import NOW, add_practitioner, arrive

MINUTE = 60_000
TABLES = ("events", "event_leaves", "tree_heads")
"""Those that prove the log."""
GUARDED = (*TABLES, "event_details", "head_stamps")


class Journal:
    """Two practitioners, four messages, and as many events as one writes."""

    def __init__(self, store: Store, home: Path) -> None:
        self.store = store
        self.home = home
        self.now = NOW
        self.public = create_key(home, "a")
        self.heads = home / "tetes.jsonl"
        self.sealer = self.another_sealer()
        self.logbook = Logbook(store, home / "registre.jsonl")
        with store.begin() as conn:
            self.accounts = [
                add_practitioner(conn, f"99123456{rank}", f"cabinet{rank}@exemple.test") for rank in range(2)
            ]
            self.messages = [arrive(conn, number, practitioner_id=self.accounts[number % 2]) for number in range(4)]

    def another_sealer(self) -> Sealer:
        """That of another process."""
        return Sealer(self.store, self.signer(), self.heads, lambda: self.now)

    def signer(self) -> Signer:
        found = load_signer(self.home)
        assert found is not None
        return found

    def write(self, count: int) -> None:
        """Events of the messages in turn."""
        with self.store.begin() as conn:
            events.append(conn, [self.event(rank) for rank in range(count)])

    def event(self, rank: int) -> Event:
        self.now += 1
        return Event(
            self.now, "envoi", "remis", message_id=self.messages[rank % 4], data={"réponse": "250 Ok", "rang": rank}
        )

    def seal(self) -> int:
        """A minute later; the logbook follows, as in the program."""
        self.now += MINUTE
        sealed = self.sealer.run()
        self.logbook.run()
        return sealed

    def published(self) -> list[TreeHead]:
        return read_heads(self.heads.read_bytes(), read_public_keys([self.public.read_bytes()]))

    def live(self, *, published: bool = True) -> int:
        """Verifies the database; how many events."""
        keys = read_public_keys([self.public.read_bytes()])
        return verify_live(self.store, keys, self.published() if published else [], self.now)

    def bundle(self, name: str = "lot.zip") -> Path:
        """An export of everything."""
        path = self.home / name
        export(self.store, path, None, self.now)
        return path

    def check(self, bundle: Path, *, published: bool = True) -> str:
        """Verifies a bundle."""
        keys = read_public_keys([self.public.read_bytes()])
        return check_bundle(bundle, keys, self.published() if published else [])

    def faults(self, *, published: bool = True) -> list[int | None]:
        """The first bad event, as the database shows it and as an export does."""
        found = []
        for verify in (
            lambda: self.live(published=published),
            lambda: self.check(self.bundle(), published=published),
        ):
            try:
                verify()
            except ProofError as fault:
                found.append(fault.seq)
        return found


@contextmanager
def owning(store: Store) -> Iterator[Connection]:
    """A transaction of somebody who owns the database: nothing refuses to change the past."""
    with store.begin() as conn:
        for table in GUARDED:
            if store.dialect == "sqlite":
                for deed in ("update", "delete"):
                    conn.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{deed}"))
            else:
                conn.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield conn
