"""Processes of the benchmark: each ends with its parent, and the CPU of each tree is read from /proc.

`launch` runs a function in a new process; `be_oct` is the program itself, as `python -m oct`.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path
from typing import Any, Protocol

CONTEXT = multiprocessing.get_context("spawn")
_END_S = 15.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM = 1, 11, 12
"""Fields of /proc/<pid>/stat, counted behind the name of the command."""


class Running(Protocol):
    """A process of whatever kind."""

    @property
    def pid(self) -> int | None: ...


@contextmanager
def launch(target: Callable[..., None], *arguments: Any, log: Path | None = None) -> Iterator[BaseProcess]:
    """A process that runs `target(*arguments)` for as long as the block lasts at most; SIGTERM ends it. What it prints
    goes to `log` when that is given."""
    process = CONTEXT.Process(target=_run, args=(target, arguments, log))
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(_END_S)
        process.kill()
        process.join()


def be_oct(arguments: Sequence[str]) -> None:
    """To be launched: `oct` with these arguments, which no variable of the environment overrides."""
    for name in [name for name in os.environ if name.startswith("OCT_")]:
        del os.environ[name]
    sys.argv = ["oct", *arguments]
    runpy.run_module("oct", run_name="__main__", alter_sys=True)


def cpu_seconds(processes: Iterable[Running]) -> float:
    """CPU that these processes and their living descendants have spent."""
    return sum(family(processes).values())


def family(processes: Iterable[Running]) -> dict[int, float]:
    """These processes and their living descendants, by pid: the CPU each has spent, in seconds."""
    children, spent = defaultdict[int, list[int]](list), dict[int, float]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        children[int(fields[_PARENT])].append(pid)
        spent[pid] = (int(fields[_USER]) + int(fields[_SYSTEM])) * _TICK_S
    found, open_ = dict[int, float](), [process.pid or 0 for process in processes]
    while open_:
        pid = open_.pop()
        found[pid] = spent.get(pid, 0.0)
        open_ += children[pid]
    return found


def _run(target: Callable[..., None], arguments: Sequence[Any], log: Path | None) -> None:
    threading.Thread(target=_follow_the_parent, daemon=True).start()
    if log is not None:
        with log.open("ab") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
    target(*arguments)


def _follow_the_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
