"""Slips: what the other side took, on disk in one commit, beside a database of SQLite's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from oct.errors import ConfigurationError, StoreError
from oct.store.engine import open_store
from oct.store.slips import Slip, Slips, beside

ONE, TWO, THREE = (Slip(f"embarque/{n}", 10 + n, 1_000 + n, f"250 {n}", tls=bool(n % 2)) for n in (1, 2, 3))


def test_what_was_written_is_read_by_the_next_process_and_forgotten_when_settled(tmp_path: Path) -> None:
    slips, after = Slips(tmp_path / "oct.slips"), Slips(tmp_path / "oct.slips")
    slips.write([TWO, ONE], [])
    assert after.read() == [ONE, TWO]
    slips.write([THREE], [ONE])
    assert after.read() == [TWO, THREE]
    slips.write([TWO._replace(at=5_000)], [TWO])
    assert after.read() == [THREE, TWO._replace(at=5_000)]
    slips.close()
    slips.write([ONE], [])  # it is opened again
    assert len(after.read()) == 3
    slips.close()
    after.close()


def test_what_was_written_survives_a_kill(tmp_path: Path) -> None:
    """P2: it is on disk when `write` returns."""
    program = (
        "import sys, time; from pathlib import Path; from oct.store.slips import Slip, Slips\n"
        f"Slips(Path(sys.argv[1])).write([Slip{tuple(ONE)!r}], [])\n"
        "print('written', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "oct.slips")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        os.kill(process.pid, signal.SIGKILL)
    slips = Slips(tmp_path / "oct.slips")
    assert slips.read() == [ONE]
    slips.close()


def test_all_or_none_are_written(tmp_path: Path) -> None:
    slips = Slips(tmp_path / "oct.slips")
    slips.write([ONE], [])
    with pytest.raises(StoreError) as failure:
        slips.write([TWO, THREE._replace(consignment=1 << 70)], [ONE])
    assert failure.value.code == "base-refus"
    assert slips.read() == [ONE]
    slips.close()


def test_a_place_where_nothing_can_be_written_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as failure:
        Slips(tmp_path / "nowhere" / "oct.slips").write([ONE], [])
    assert failure.value.code == "base-indisponible"


@pytest.mark.parametrize("first", [0, 4096])
def test_a_file_that_is_damaged_is_named_with_what_to_do(tmp_path: Path, first: int) -> None:
    """From its beginning, or behind it."""
    path = tmp_path / "oct.slips"
    slips = Slips(path)
    slips.write([ONE], [])
    slips.close()
    with path.open("r+b") as file:
        file.seek(first)
        file.write(b"no page of SQLite's " * 200)
    for use in (slips.read, lambda: slips.write([TWO], [ONE])):
        with pytest.raises(ConfigurationError) as failure:
            use()
        assert failure.value.code == "bordereaux-illisibles"
        assert str(path) in failure.value.sentence
    slips.close()


def test_only_a_database_with_one_writer_has_slips(tmp_path: Path) -> None:
    for url, has in ((f"sqlite:///{tmp_path}/oct.db", True), ("postgresql+psycopg://u@127.0.0.1/none", False)):
        store = open_store(url)
        assert (beside(store) is not None) == has
        store.close()
