"""Sealing: every committed event once, without holes, whatever commits late or dies; heads that leave the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import delete, event, select

from oct.errors import StoreError
from oct.steps.journal import seal
from oct.steps.journal.proof import export
from oct.store import counters, events, journal, log_lines
from oct.store.engine import Store, open_store
from oct.store.journal import Horizon, Look
from oct.store.log_lines import Selection
from oct.store.tables import event_leaves, tree_tiles
from oct.trace import verify
from oct.trace.heads import create_key
from oct.trace.verify import ProofError
from tests.steps.journal_rig import Journal


@pytest.fixture
def log(store: Store, tmp_path: Path) -> Journal:
    return Journal(store, tmp_path)


def sealed_ids(log: Journal) -> list[int]:
    with log.store.read() as conn:
        return list(conn.execute(select(event_leaves.c.event_id).order_by(event_leaves.c.seq)).scalars())


def test_events_are_sealed_in_their_order_and_only_once(log: Journal) -> None:
    log.write(7)
    assert (log.seal(), log.seal()) == (7, 0)
    log.write(2)
    assert log.another_sealer().run() == 2
    assert log.seal() == 0
    assert sealed_ids(log) == sorted(sealed_ids(log))
    assert log.live() == 9


def test_many_events_are_sealed_in_several_turns(log: Journal) -> None:
    log.write(4500)
    assert log.seal() == 4500
    assert [head.size for head in log.published()] == [1000, 2000, 3000, 4000, 4500]
    assert log.live() == 4500


def test_tiles_are_kept_without_holes_though_older_ones_are_missing(
    log: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that is older than they are."""
    monkeypatch.setattr(seal, "_TILES", 1)
    kept = []
    for count in (300, 700, 0, 300):
        log.write(count)
        log.seal()
        with log.store.begin() as conn:
            kept.append(list(conn.execute(select(tree_tiles.c.tile).order_by(tree_tiles.c.tile)).scalars()))
            if count == 300:
                conn.execute(delete(tree_tiles))
    assert kept == [[0], [0], [0, 1], [0, 1, 2]]
    assert log.live() == 1300


def test_an_empty_log_holds(log: Journal) -> None:
    assert (log.seal(), log.live(published=False)) == (0, 0)
    assert "0 événements" in log.check(log.bundle(), published=False)


def test_what_another_sealed_meanwhile_is_not_sealed_again(log: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the turn."""
    log.write(3)
    looked = journal.unsealed

    def meanwhile(*asked: Any) -> Look:
        monkeypatch.undo()
        look = looked(*asked)
        log.write(1)
        assert log.another_sealer().run() == 4
        return look

    monkeypatch.setattr(journal, "unsealed", meanwhile)
    assert log.seal() == 0
    assert_whole(log, 4)


def mark_of(log: Journal) -> int:
    with log.store.read() as conn:
        return counters.value(conn, "journal:scelle")


def assert_whole(log: Journal, count: int) -> None:
    """Every event has its place, once; nothing is left to seal."""
    assert [log.seal() for _ in range(2)] == [0, 0]
    with log.store.read() as conn:
        assert journal.unsealed_count(conn) == 0
    assert len(set(sealed_ids(log))) == len(sealed_ids(log)) == log.live() == count


def test_an_event_that_commits_after_its_followers_is_not_missed(postgres_url: str, tmp_path: Path) -> None:
    """Its id is smaller than those sealed meanwhile; nobody waits for it."""
    store = open_store(postgres_url)
    log = Journal(store, tmp_path)
    log.write(3)
    with store.begin() as slow:
        events.append(slow, [log.event(0)])
        log.write(3)
        assert [log.seal() for _ in range(3)] == [3 + 3, 0, 0]
        log.write(1)
        assert (log.seal(), log.another_sealer().run(), mark_of(log)) == (1, 0, 0)
    assert log.seal() == 1
    assert_whole(log, 8)
    assert mark_of(log) == max(sealed_ids(log))
    store.close()


def test_an_event_whose_id_was_given_while_somebody_looked_is_not_missed(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction is younger than the snapshot of the look, and older than the id that the look takes."""
    store = open_store(postgres_url)
    log = Journal(store, tmp_path)
    log.write(2)
    with ExitStack() as slow:

        def meanwhile(*asked: Any) -> Horizon:
            monkeypatch.undo()
            events.append(slow.enter_context(store.begin()), [log.event(0)])
            log.write(1)
            return journal._begun(*asked)

        monkeypatch.setattr(journal, "_begun", meanwhile)
        assert [log.seal() for _ in range(3)] == [2, 1, 0]
        assert mark_of(log) <= 2
    assert log.seal() == 1
    assert_whole(log, 4)
    store.close()


def test_a_mark_that_another_moved_meanwhile_is_not_moved_again(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is sealed; the mark was kept back by a transaction that has given up."""
    store = open_store(postgres_url)
    log = Journal(store, tmp_path)
    with store.begin() as slow:
        events.append(slow, [log.event(0)])
        log.write(3)
        assert (log.seal(), mark_of(log)) == (3, 0)
        slow.rollback()

    def meanwhile(*asked: Any) -> bool:
        monkeypatch.undo()
        assert log.another_sealer().run() == 0
        return journal.take_turn(*asked)

    monkeypatch.setattr(journal, "take_turn", meanwhile)
    assert (log.seal(), mark_of(log)) == (0, max(sealed_ids(log)))
    store.close()


def test_a_process_that_starts_looks_from_the_mark_on(postgres_url: str, tmp_path: Path) -> None:
    """Whatever the log's length: an event below it would be missed, and cannot be."""
    store = open_store(postgres_url)
    log = Journal(store, tmp_path)
    log.write(4)
    assert (log.seal(), mark_of(log)) == (4, max(sealed_ids(log)))
    looked: list[int] = []
    event.listen(
        store.engine,
        "before_cursor_execute",
        lambda _conn, _cursor, statement, values, *_: looked.extend(
            value for name, value in values.items() if name.startswith("id_") and "LEFT OUTER JOIN" in statement
        ),
    )
    log.write(1)
    assert log.another_sealer().run() == 1
    assert set(looked) == {4}
    assert_whole(log, 5)
    store.close()


def test_a_crash_between_two_steps_of_a_look_loses_nothing(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that has no mark yet and is larger than a step; the mark is that of the steps which were written."""
    monkeypatch.setattr(journal, "_STEP", 7)
    monkeypatch.setattr(seal, "_BATCH", 5)
    store = open_store(postgres_url)
    log = Journal(store, tmp_path)
    log.write(40)
    assert [log.sealer._seal_some() for _ in range(3)] == [(5, True)] * 3
    reached = mark_of(log)
    with monkeypatch.context() as crash:
        crash.setattr(journal, "move_mark", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            log.seal()
    assert (mark_of(log), len(sealed_ids(log))) == (reached, 15)
    assert reached == max(sealed_ids(log))
    log.sealer = log.another_sealer()
    assert log.seal() == 25
    assert mark_of(log) == max(sealed_ids(log))
    assert_whole(log, 40)
    store.close()


def test_a_transaction_that_took_an_id_and_wrote_nothing_leaves_no_hole(postgres_url: str, tmp_path: Path) -> None:
    store = open_store(postgres_url)
    log = Journal(store, tmp_path)
    with store.begin() as conn:
        events.append(conn, [log.event(0)])
        conn.rollback()
    log.write(2)
    assert log.seal() == 2
    with store.read() as conn:
        assert [seq for seq, _ in log_lines.lines(conn, 2)] == [0, 1]
    store.close()


def test_heads_that_could_not_be_published_are_published_later(log: Journal) -> None:
    away = log.home / "tetes-ailleurs"
    log.heads = away / "tetes.jsonl"
    log.sealer = log.another_sealer()
    log.write(2)
    with pytest.raises(StoreError, match="tetes-non-publiees"):
        log.seal()
    away.mkdir()
    log.write(2)
    assert log.seal() == 2
    assert [head.size for head in log.published()] == [2, 4]


def test_a_line_that_a_crash_cut_is_published_again(log: Journal) -> None:
    log.write(2)
    log.seal()
    log.write(2)
    log.seal()
    whole = log.heads.read_bytes()
    log.heads.write_bytes(whole[:-20])
    log.seal()
    assert log.heads.read_bytes() == whole


def test_an_older_key_still_verifies_what_it_signed(log: Journal) -> None:
    log.write(2)
    log.seal()
    newer = create_key(log.home, "b")
    log.sealer = log.another_sealer()
    log.write(2)
    log.seal()
    with pytest.raises(ProofError, match="n'a pas été donnée"):
        log.live()
    both = verify.read_public_keys([log.public.read_bytes(), newer.read_bytes()])
    assert "4 événements" in verify.check_bundle(log.bundle(), both)


# Bundles -----------------------------------------------------------------------------------------------------


def selection_of(log: Journal) -> Path:
    """One practitioner's events of the middle of the log."""
    log.write(600)
    log.seal()
    log.now += 2 * 86_400_000
    since = log.now
    log.write(40)
    log.seal()
    log.write(4)
    log.seal()
    path = log.home / "choix.zip"
    assert export(log.store, path, Selection(log.accounts[1], since, log.now), log.now) == 22
    return path


def rewritten(bundle: Path, name: str, old: bytes, new: bytes) -> Path:
    """The bundle with a change in one of its files."""
    copy = bundle.with_name("autre.zip")
    with zipfile.ZipFile(bundle) as files, zipfile.ZipFile(copy, "w") as others:
        for one in files.namelist():
            content = files.read(one)
            if one == name:
                assert old in content
                content = content.replace(old, new, 1)
            others.writestr(one, content)
    return copy


def test_the_traces_of_one_practitioner_are_proven_in_the_log(log: Journal) -> None:
    bundle = selection_of(log)
    assert "22 événements choisis d'un journal de 644" in log.check(bundle)
    with zipfile.ZipFile(bundle) as files:
        told = [json.loads(line) for line in files.read("evenements.jsonl").splitlines()]
        table = files.read("evenements.csv").decode().splitlines()
    assert {event["trace"] for event in told} == {"AAAAAA-00000001", "AAAAAA-00000003"}
    assert len(table) == 23


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("evenements.jsonl", b'"outcome":"remis"', b'"outcome":"perdu"', "n° 601 n'est pas celui"),
        ("evenements.csv", b"remis", b"perdu", "evenements.csv ne dit pas la même chose de l'événement n° 601"),
        ("preuves.jsonl", b'"path":["', b'"path":["00', "ne prolonge pas"),
        ("tetes.jsonl", b'"size":644', b'"size":645', "signature"),
        ("lot.json", b'"oct-trace-1"', b'"oct-trace-2"', "format"),
    ],
)
def test_a_selection_that_was_changed_is_found(log: Journal, name: str, old: bytes, new: bytes, said: str) -> None:
    bundle = rewritten(selection_of(log), name, old, new)
    with pytest.raises(ProofError, match=said):
        log.check(bundle, published=False)


def test_a_line_taken_from_a_selection_is_named(log: Journal) -> None:
    bundle = selection_of(log)
    with zipfile.ZipFile(bundle) as files:
        lines = files.read("evenements.jsonl").splitlines(keepends=True)
    for gone in (3, 21):
        shorter = rewritten(bundle, "evenements.jsonl", lines[gone], b"")
        with pytest.raises(ProofError) as caught:
            log.check(shorter)
        assert caught.value.seq == json.loads(lines[gone])["seq"]


def test_lines_cut_from_the_end_of_a_bundle_leave_the_others_proven(log: Journal) -> None:
    """T1: the leaves that stayed lead to the head."""
    log.write(6)
    log.seal()
    bundle = log.bundle()
    with zipfile.ZipFile(bundle) as files:
        lines = files.read("evenements.jsonl").splitlines(keepends=True)
    with pytest.raises(ProofError) as caught:
        log.check(rewritten(bundle, "evenements.jsonl", b"".join(lines[4:]), b""))
    assert caught.value.seq == 4
    assert caught.value.sentence.endswith("l'annonce.")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["evenements.csv", "Evenements.csv", "lisez-moi.txt"])
def test_a_file_that_another_program_could_read_instead_is_found(log: Journal, name: str) -> None:
    """A twin is shown by some programs, the first one by others; a name in capitals is the same on some systems."""
    log.write(3)
    log.seal()
    bundle = log.bundle()
    with zipfile.ZipFile(bundle, "a") as files:
        genuine = files.read("evenements.csv")
        files.writestr(name, genuine)
    with pytest.raises(ProofError, match="un fichier de trop"):
        log.check(bundle)


def test_whatever_is_no_bundle_is_said_so(log: Journal) -> None:
    log.write(3)
    log.seal()
    whole = log.bundle().read_bytes()
    broken = log.home / "abime.zip"
    for content in (b"", b"PK", whole[: len(whole) // 2], whole[:90] + bytes(40) + whole[130:]):
        broken.write_bytes(content)
        with pytest.raises(ProofError):
            log.check(broken)


def test_the_verifier_of_a_bundle_runs_alone(log: Journal, tmp_path: Path) -> None:
    """On another machine: a file, Python and cryptography; nothing of this program."""
    log.write(20)
    log.seal()
    bundle = log.bundle()
    changed = rewritten(bundle, "evenements.jsonl", b'"rang":7', b'"rang":8')
    elsewhere = tmp_path / "ailleurs"
    elsewhere.mkdir()
    with zipfile.ZipFile(bundle) as files:
        program = Path(files.extract("verify.py", elsewhere))
        assert "COMMENT-VERIFIER.md" in files.namelist()
    assert "from oct" not in program.read_text(encoding="utf-8")

    def run(lot: Path) -> tuple[int, str]:
        line = [sys.executable, "-I", str(program), str(lot), "--key", str(log.public), "--heads", str(log.heads)]
        done = subprocess.run(line, cwd=elsewhere, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
        return done.returncode, done.stdout + done.stderr

    assert run(bundle)[0] == 0
    code, said = run(changed)
    assert (code, "n° 7 ne correspond pas" in said) == (1, True), said
    assert run(tmp_path / "absent.zip")[0] == 1
