"""A disk that fails under the database: no 250 that is not on disk, and everything goes on when it is repaired (P3).

The errors are the kernel's own, injected into the running process by strace: fsync and fdatasync fail, or writes
find no space.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.journeys.conftest import Launch
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import GARE, KINE, LABO, PONT, practice
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until

SEED = 20_261_123
PAUSE_S = 0.3
INJECTIONS = "fsync,fdatasync:error=EIO", "pwrite64,ftruncate:error=ENOSPC"


@contextmanager
def failing(pid: int, injection: str, log: Path) -> Iterator[None]:
    """Every thread of a process meets the error at these system calls, for as long as the block runs."""
    calls = injection.partition(":")[0]
    expressions = ["-e", f"trace={calls}", "-e", f"inject={injection}"]
    with subprocess.Popen(["strace", "-f", "-q", "-p", str(pid), *expressions, "-o", str(log)]) as tracer:
        until("the process is traced", lambda: _traced(pid))
        try:
            yield
        finally:
            tracer.terminate()
            tracer.wait()


def _traced(pid: int) -> bool:
    """Whether each of its threads is."""
    states = [thread.read_text("ascii") for thread in Path(f"/proc/{pid}/task").glob("*/status")]
    return all("TracerPid:\t0\n" not in state for state in states)


def test_while_the_disk_fails_nobody_is_told_250_and_afterwards_nothing_is_missing(
    launch: Launch, tmp_path: Path
) -> None:
    """P1, P3: 4xx for as long as it lasts; what was accepted before goes on afterwards, once."""
    with launch() as world:
        traffic = Traffic(world.door, (PONT, GARE, KINE), SEED, pause=PAUSE_S)
        traffic.start()
        late = practice(LABO, SEED)
        try:
            for injection in INJECTIONS:
                traffic.flows(4)
                log = tmp_path / injection.partition(",")[0]
                with failing(world.process.pid, injection, log):
                    message = late.wrap(late.claims.single_file(LABO))
                    replies = [world.send(late.address, message) for _ in range(3)]
                assert {reply.code // 100 for reply in replies} == {4}
                assert "INJECTED" in log.read_text(encoding="ascii", errors="replace")
            traffic.flows(4)
        finally:
            traffic.stop()
        world.settle()
        assert traffic.refused == []
        everything_arrived_once(world.outside, traffic)
        with world.store.read() as conn:
            assert conn.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
