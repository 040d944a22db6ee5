"""T5: after the restore of a backup, what was accepted since is listed, and nothing is silently sent again."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from oct.bootstrap import check_not_restored
from oct.errors import ConfigurationError, RuleError
from oct.settings import load
from oct.steps.journal.logbook import Logbook
from oct.steps.journal.proof import verify_live
from oct.steps.journal.recovery import Recovery, find, recover
from oct.steps.journal.seal import Sealer
from oct.steps.release import release
from oct.store import events, holds, journal
from oct.store.events import Event
from oct.store.holds import Hold
from oct.trace.heads import load_signer
from oct.trace.verify import read_heads, read_public_keys
from tests.claims import Batch, Claim
from tests.steps.resending_rig import ADDRESS, LOIRE, Rig, file_of, mail, rig


class Kept:
    """A concentrator, a backup of its database made by the tools of the database, and what lives outside of it."""

    def __init__(self, pieces: Rig, home: Path, url: str) -> None:
        self.rig = pieces
        self.home = home
        self.url = url.replace("postgresql+psycopg", "postgresql")
        self.backup_file = home / "sauvegarde"
        self.heads, self.logbook = home / "tetes.jsonl", home / "registre.jsonl"
        signer = load_signer(home)
        assert signer is not None
        self.sealer = Sealer(pieces.workshop.store, signer, self.heads, pieces.clock)
        self.book = Logbook(pieces.workshop.store, self.logbook)

    def seal(self) -> None:
        self.rig.clock.pass_hours(1 / 60)
        self.sealer.run()
        self.book.run()

    def backup(self) -> None:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self._file)) as own, closing(sqlite3.connect(self.backup_file)) as copy:
                own.backup(copy)
        else:
            subprocess.run(["pg_dump", "--format=custom", f"--file={self.backup_file}", self.url], check=True)

    def restore(self) -> None:
        self.rig.workshop.store.close()
        if self.url.startswith("sqlite"):
            for path in self._file.parent.glob(f"{self._file.name}*"):
                path.unlink()
            shutil.copy(self.backup_file, self._file)
        else:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")
            subprocess.run(["pg_restore", "--no-owner", f"--dbname={self.url}", self.backup_file], check=True)

    @property
    def _file(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def recover(self) -> Recovery:
        clock = self.rig.clock
        clock.pass_hours(1)
        return recover(self.rig.workshop.store, self.heads, self.logbook, "essai", clock())

    def receive(self, rank: int) -> str:
        """A message at the door, not opened yet; its trace number."""
        reply = self.rig.receive(mail(file_of([Batch((Claim(rank),), rank)])), ADDRESS)
        return reply.text.rpartition(" ")[2]

    def held(self) -> list[Hold]:
        with self.rig.workshop.store.read() as conn:
            return holds.list_open(conn)


@pytest.fixture
def kept(tmp_path: Path, database_url: str) -> Iterator[Kept]:
    with rig(tmp_path / "oct", database_url) as made:
        yield Kept(made, tmp_path / "oct", database_url)


def test_nothing_is_sent_again_and_what_was_lost_is_listed(kept: Kept) -> None:
    """One message done, one to send, one to open at the backup; all done and one more accepted at the end."""
    kept.rig.submit(Batch((Claim(1),), 1))
    kept.receive(2)
    while kept.rig.hands.runner._process_some():
        pass
    kept.receive(3)
    kept.seal()
    kept.backup()
    kept.rig.work()
    lost = kept.receive(4)
    kept.rig.work()
    kept.seal()
    sent = len(kept.rig.outside.letters)
    assert find(kept.rig.workshop.store, kept.heads) is None

    kept.restore()
    with pytest.raises(ConfigurationError, match="oct recover"):
        check_not_restored(load(kept.home / "oct.toml", {}).settings, kept.rig.workshop.store)
    done = kept.recover()
    assert [one.trace for one in done.accepted] == [lost]
    assert (done.held_messages, done.held_sendings, done.handed_over) == (1, 2, 6)
    kept.rig.work()
    assert len(kept.rig.outside.letters) == sent
    sendings = [hold for hold in kept.held() if hold.subject == "consignment"]
    assert all(hold.sentence.startswith("Remis le ") for hold in sendings)
    with pytest.raises(RuleError, match="rien à reprendre"):
        kept.recover()


def test_the_log_goes_on_and_the_old_heads_stay_as_evidence(kept: Kept) -> None:
    kept.rig.submit(Batch((Claim(1),), 1))
    kept.seal()
    kept.backup()
    kept.rig.submit(Batch((Claim(2),), 2))
    kept.seal()
    published = kept.heads.read_bytes()
    kept.restore()
    kept.recover()
    kept.sealer = Sealer(kept.rig.workshop.store, kept.sealer._signer, kept.heads, kept.rig.clock)
    kept.rig.submit(Batch((Claim(3),), 3))
    kept.seal()
    keys = read_public_keys([next(kept.home.glob("*.pub")).read_bytes()])
    heads = read_heads(kept.heads.read_bytes(), keys)
    assert verify_live(kept.rig.workshop.store, keys, heads, kept.rig.clock()) == heads[-1].size
    assert find(kept.rig.workshop.store, kept.heads) is None
    (old,) = kept.home.glob("tetes.jsonl.avant-*")
    assert old.read_bytes() == published


def test_j2_what_was_not_sealed_at_the_backup_is_sealed_after_its_restore(kept: Kept) -> None:
    """Nor what was committed around an event that was not, and that the backup does not have."""
    store = kept.rig.workshop.store
    kept.rig.submit(Batch((Claim(1),), 1))
    kept.seal()
    with ExitStack() as late:
        if store.dialect == "postgresql":
            events.append(late.enter_context(store.begin()), [Event(kept.rig.clock(), "envoi", "remis")])
        kept.rig.submit(Batch((Claim(2),), 2))
        kept.seal()
        kept.rig.submit(Batch((Claim(3),), 3))
        kept.backup()
    kept.restore()
    with store.read() as conn:
        assert journal.unsealed_count(conn) > 0
    for _ in range(2):
        kept.sealer = Sealer(store, kept.sealer._signer, kept.heads, kept.rig.clock)
        kept.seal()
    with store.read() as conn:
        assert journal.unsealed_count(conn) == 0
        whole = journal.sealed_count(conn)
    keys = read_public_keys([next(kept.home.glob("*.pub")).read_bytes()])
    published = read_heads(kept.heads.read_bytes(), keys)
    assert verify_live(store, keys, published, kept.rig.clock()) == published[-1].size == whole


def test_a_sending_of_which_nothing_is_known_says_so(kept: Kept) -> None:
    """Without the logbook: it was lost with the machine, the heads were elsewhere."""
    kept.receive(1)
    while kept.rig.hands.runner._process_some():
        pass
    kept.seal()
    kept.backup()
    kept.rig.work()
    kept.seal()
    kept.restore()
    kept.logbook.unlink()
    assert kept.recover().accepted == ()
    assert {hold.sentence[:31] for hold in kept.held()} == {"La base a été restaurée : rien "}


def test_a_held_sending_leaves_when_somebody_says_so(kept: Kept) -> None:
    kept.rig.outside.temper.refuse(451, 1, address=LOIRE)
    kept.rig.submit(Batch((Claim(1),), 1))
    kept.seal()
    kept.backup()
    kept.rig.submit(Batch((Claim(2),), 2))
    kept.seal()
    kept.restore()
    kept.recover()
    (hold,) = kept.held()
    before = len(kept.rig.outside.of(LOIRE))
    release(kept.rig.workshop, hold.id, "essai")
    kept.rig.work()
    assert len(kept.rig.outside.of(LOIRE)) == before + 1
