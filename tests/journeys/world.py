"""A concentrator as a real process, in a directory of its own, with everything outside of it simulated.

`play` hands a message in by SMTP, waits until nothing is left to do, and gives what came of it: the answer, what
insurers got, what arrived in mailboxes.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from oct.cli import main
from oct.simulators.envelopes import Judge
from oct.simulators.insurer import Opened
from oct.simulators.mail import Letter
from oct.simulators.sending import Reply, deliver
from oct.store import consignments, messages
from oct.store.engine import Store, open_store
from tests.journeys.golden import OCT
from tests.journeys.outside import Outside, text_of
from tests.journeys.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
_TRACE = re.compile(r"suivi (\w{6}-\w{8})")
RETRY = '["100ms", "300ms", "1s"]'
"""Soon at first; what nobody takes for long costs little."""
_FIRST_PORT = 10_000 + os.getpid() % 220 * 100
_PORTS = cycle(range(_FIRST_PORT, _FIRST_PORT + 100))
OCT_PROGRAM = Path(sys.executable).with_name("oct")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one message."""

    reply: Reply
    opened: list[Opened]
    letters: list[Letter]
    """Everything that no insurer got, to whatever address."""

    @property
    def trace(self) -> str:
        """The trace number of the 250."""
        found = _TRACE.search(self.reply.text)
        assert found is not None, self.reply
        return found[1]

    @property
    def art(self) -> str:
        """The text of the one ART, which names the trace number of the 250 (T1)."""
        (letter,) = self.letters
        assert letter.description.startswith("ART/")
        text = text_of(letter)
        assert f"Numéro de suivi : {self.trace}" in text
        return text

    @property
    def files(self) -> dict[str, list[bytes]]:
        """The files that each insurer got."""
        found: dict[str, list[bytes]] = {}
        for one in self.opened:
            found.setdefault(one.arrival.rcpt_to, []).append(one.file.data)
        return found


class World:
    """One concentrator. `launcher` is the command that serves, without its configuration."""

    def __init__(self, directory: Path, launcher: Sequence[str | Path], outside: Outside) -> None:
        self.directory = directory
        self.outside = outside
        self.port = free_port()
        self._launcher = launcher
        self._process: subprocess.Popen[bytes] | None = None
        self._store: Store | None = None

    @property
    def door(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def store(self) -> Store:
        """The program's own database, read beside it."""
        if self._store is None:
            self._store = open_store(f"sqlite:///{self.directory / 'oct.db'}")
        return self._store

    @property
    def log(self) -> str:
        """All that the program wrote on its standard output and error."""
        return (self.directory / "log").read_text(encoding="utf-8")

    def configure(self, **sections: str) -> None:
        """Writes oct.toml: `sections` are lines to add to those that every world needs."""
        lines = {
            "oct": 'number = "552100554"\naddress = "oct@concentrateur.example"\nname = "Concentrateur essai"',
            "smtp": f'listen = ["127.0.0.1:{self.port}"]',
            "delivery": f"{self.outside.delivery}\nretry = {RETRY}",
            "worker": 'sweep = "200ms"\nprocesses = 1',
        }
        lines |= {name: f"{lines.get(name, '')}\n{more}" for name, more in sections.items()}
        text = "\n".join(f"[{name}]\n{body}" for name, body in lines.items())
        (self.directory / "oct.toml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Starts the program and waits for its greeting."""
        self.launch()
        until("the door greets", self._greets)

    def launch(self) -> None:
        """Starts the program, without waiting."""
        with (self.directory / "log").open("ab") as log:
            command = [*self._launcher, "--config", self.directory / "oct.toml"]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def reload(self) -> None:
        """SIGHUP, and the end of a reload, in whatever way."""
        before = self._reloads()
        self.process.send_signal(signal.SIGHUP)
        until("it has reloaded, or refused to", lambda: self._reloads() > before)

    def become(self, launcher: Sequence[str | Path]) -> None:
        """What serves from the next start on."""
        self._launcher = launcher

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; the exit code, -9 when it had to be killed at last."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def close(self) -> None:
        """Ends everything."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        if self._store is not None:
            self._store.close()
        self.outside.stop()

    def oct(self, *arguments: str) -> str:
        """One `oct` command of the operator, beside the running program; what it printed."""
        return operate(self.directory, *arguments)

    def send(self, mail_from: str, message: bytes, recipient: str = OCT) -> Reply:
        """One SMTP session with the door."""
        return deliver(self.door, mail_from, recipient, message)

    def play(self, mail_from: str, message: bytes) -> Outcome:
        """Sends, waits until nothing is due, and gathers what came of it."""
        before = len(self.outside.arrivals)
        reply = self.send(mail_from, message)
        self.settle()
        return self.since(before, reply)

    def since(self, before: int, reply: Reply) -> Outcome:
        """What arrived after the first `before` arrivals, as what came of a message answered with `reply`."""
        arrived = self.outside.arrivals[before:]
        letters = [
            Letter(one.mail_from, one.rcpt_to, one.raw) for one in arrived if not self.outside.is_insurer(one.rcpt_to)
        ]
        return Outcome(reply, self.outside.opened(before), letters)

    def settle(self, seconds: float = PATIENCE_S) -> None:
        """Waits until nothing is left to open nor to send."""
        until("nothing is due", lambda: not self.due(), seconds)

    def due(self) -> bool:
        """Whether anything waits to be opened or sent."""
        with self.store.read() as conn:
            return messages.oldest_due(conn) is not None or bool(consignments.backlog(conn))

    def _reloads(self) -> int:
        return self.log.count("Rechargé :") + self.log.count('"recharge-refusee"')

    def _greets(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            smtplib.SMTP(*self.door, local_hostname="essai.example", timeout=5).quit()
        except OSError:
            return False
        return True


@contextmanager
def running(
    template: Path, directory: Path, launcher: Sequence[str | Path], judge: Judge = Judge.CRYPTOGRAPHY, **sections: str
) -> Iterator[World]:
    """A world that runs, from a copy of an installation; `judge` opens what insurers get."""
    shutil.copytree(template, directory)
    outside = Outside(judge, apart=True)
    outside.start()
    world = World(directory, launcher, outside)
    try:
        world.configure(**sections)
        world.start()
        yield world
    finally:
        world.close()


def operate(directory: Path, *arguments: str) -> str:
    """What an `oct` command printed that went well."""
    code, told = commanded(directory, *arguments)
    assert code == 0, told
    return told


def commanded(directory: Path, *arguments: str) -> tuple[int, str]:
    """An `oct` command in a directory that holds its oct.toml: its exit code, and what it printed, complaints too.

    It runs within this process, for to start another one costs more CPU than most commands.
    """
    told = io.StringIO()
    with chdir(directory), redirect_stdout(told), redirect_stderr(told):
        code = main(arguments)
    return code, told.getvalue()


def free_port() -> int:
    """A port of this process's own hundred that nobody listens on now.

    They lie below those that the kernel gives to whoever connects, so that no connection has it when a program that was
    killed listens again.
    """
    return next(port for port in _PORTS if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
