"""The processes that open messages: a Celery worker under the process of role worker, which sends what they prepare.

Opening is where a message may kill or hold a process, so it happens in processes of a pool, each with a time limit;
the parent only sends, and looks after them: it starts the Celery worker again when it died, and the worker ends by
itself when the parent died. A byte in a pipe tells the parent that there may be something to send.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path
from typing import Any

import structlog
from celery import signals

from oct.bootstrap import open_workshop, runner
from oct.openers import give_way, pass_over_what_is_there
from oct.settings import Settings
from oct.steps.work.runner import Runner
from oct.steps.workshop import Workshop
from oct.store import messages
from workers.app import make_app
from workers.tasks import register

_log = structlog.get_logger()
_PAUSE_S = 1.0
"""Before a Celery worker that died is started again."""
_GRACE_S = 5.0
"""What a clean stop leaves to the messages in hand (P5: 10 s in all)."""


class Openers:
    """The Celery worker of this process. `ready` is called when there may be something to send, `prepare` first of all
    in the new process (it sets the log up there), which it must survive being pickled for."""

    def __init__(self, settings: Settings, name: str, ready: Callable[[], object], prepare: Callable[[], None]) -> None:
        self._given = (settings, name, prepare)
        self._ready = ready
        self._stopping = threading.Event()
        self._hearing, self._telling = multiprocessing.Pipe(duplex=False)
        self._process = self._new_process()
        self._threads = [threading.Thread(target=job, daemon=True) for job in (self._look_after, self._hear)]

    def start(self) -> None:
        """Starts the Celery worker; it waits for its broker as long as it takes."""
        self._process.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets the messages in hand end."""
        self._stopping.set()
        self._process.terminate()
        self._process.join(_GRACE_S)
        self._process.kill()
        self._telling.send_bytes(b".")
        for thread in self._threads:
            thread.join()

    def _new_process(self) -> BaseProcess:
        context = multiprocessing.get_context("spawn")
        return context.Process(target=_serve, args=(*self._given, self._telling), name="openers")

    def _look_after(self) -> None:
        while True:
            self._process.join()
            if self._stopping.wait(_PAUSE_S):
                return
            _log.error("ouvreurs-interrompus", code=self._process.exitcode)
            self._process = self._new_process()
            self._process.start()

    def _hear(self) -> None:
        while not self._stopping.is_set():
            self._hearing.recv_bytes()
            self._ready()


def take_back(workshop: Workshop, name: str) -> int:
    """Ends the leases of processes of the pool that died, known by the identifiers in their names; how many rows."""
    with workshop.store.read() as conn:
        owners = messages.holders(conn, f"{name}/")
    dead = {pid for owner in owners if (pid := _pool_process(owner, name)) and not Path(f"/proc/{pid}").exists()}
    if not dead:
        return 0
    with workshop.store.begin() as conn:
        return sum(messages.release_leases(conn, f"{name}/{pid}/") for pid in sorted(dead))


def _pool_process(owner: str, name: str) -> str:
    """The identifier in the name of a claim `NAME/PID/N`; empty for a claim `NAME/N` of a thread of the parent, and for
    those of its next generation, `NAME/r2/…`."""
    first, *rest = owner.removeprefix(f"{name}/").split("/")
    return first if rest and first.isdigit() else ""


def _serve(settings: Settings, name: str, prepare: Callable[[], None], telling: Connection) -> None:
    """The life of the Celery worker, in a process of its own."""
    prepare()
    signals.setup_logging.connect(_keep_the_log, weak=False)
    threading.Thread(target=_follow_the_parent, daemon=True).start()
    os.set_blocking(telling.fileno(), False)
    app = make_app(settings)
    register(app, lambda: _open_runner(settings, name), lambda: _tell(telling))
    worker = app.Worker(
        hostname=f"{name.replace('/', '.')}@oct", pool="prefork", quiet=True, without_gossip=True, without_mingle=True
    )
    worker.start()
    raise SystemExit(worker.exitcode)


def _open_runner(settings: Settings, name: str) -> Runner:
    """A runner for one process of the pool: its name begins like its parent's, which takes back all its leases."""
    workshop = open_workshop(settings)
    made = runner(settings, workshop, f"{name}/{os.getpid()}", ready=lambda: None)
    pass_over_what_is_there()
    give_way()
    return made


def _tell(telling: Connection) -> None:
    with contextlib.suppress(BlockingIOError):  # the pipe is full: the parent has been told
        telling.send_bytes(b".")


def _follow_the_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _keep_the_log(**_: Any) -> None:
    """Celery sets no log up when somebody else says that he did."""
