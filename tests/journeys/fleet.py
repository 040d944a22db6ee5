"""The roles of a concentrator as real processes on one PostgreSQL, each with its own name, log and death."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from oct.crypto.atrest import create_master_key
from oct.simulators.envelopes import Judge
from oct.store import consignments, messages
from oct.store.engine import Store, open_store
from tests.journeys.golden import CLAIMS, PKI
from tests.journeys.outside import Outside
from tests.journeys.waiting import PATIENCE_S, until
from tests.journeys.world import OCT_PROGRAM, RETRY, ROOT, commanded, free_port, operate

_RESTART_S = 0.3


class Fleet:
    """Several `oct run --role …` with one configuration. `url` is that of a database which is filled already."""

    def __init__(self, directory: Path, url: str, judge: Judge = Judge.CRYPTOGRAPHY, /, **sections: str) -> None:
        self.directory = directory
        self.outside = Outside(judge)
        self.outside.start()
        self.store: Store = open_store(url)
        self.program: tuple[str | Path, ...] = (OCT_PROGRAM,)
        """What is started, before its verb."""
        self._ports: dict[str, int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        lines = {
            "oct": 'number = "552100554"\naddress = "oct@concentrateur.example"\nname = "Concentrateur essai"',
            "delivery": f"{self.outside.delivery}\nretry = {RETRY}",
            "store": f'url = "{url}"\npool_size = 5',
            "worker": 'sweep = "500ms"',
        } | sections
        text = "\n".join(f"[{name}]\n{body}" for name, body in lines.items())
        (directory / "oct.toml").write_text(text, encoding="utf-8")

    def launch(self, *names: str) -> None:
        """Starts processes; `smtp-1` is the role smtp under the name 1."""
        for name in names:
            with self._log(name).open("wb") as log:
                self._processes[name] = subprocess.Popen(
                    self._command(name), cwd=ROOT, stdout=log, stderr=log, env=os.environ | self._environment(name)
                )

    def start(self, *names: str) -> None:
        """Starts processes and waits until each says that it is ready."""
        self.launch(*names)
        self._wait_for(names)

    def kill(self, name: str) -> None:
        """kill -9."""
        self._processes[name].kill()
        self._processes[name].wait()

    def reload(self, *names: str) -> None:
        """SIGHUP to all of them, and the end of their reloads."""
        for name in names:
            self._processes[name].send_signal(signal.SIGHUP)
        for name in names:
            until(f"{name} has reloaded", lambda name=name: "Rechargé" in self.log(name))  # type: ignore[misc]

    @contextmanager
    def supervised(self) -> Iterator[None]:
        """Starts again every process that ends while the block runs, as systemd and Docker do."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_RESTART_S):
                self.launch(*(name for name, process in self._processes.items() if process.poll() is not None))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def processes(self) -> list[int]:
        """The identifiers of all that runs now, the children too."""
        found = [process.pid for process in self._processes.values() if process.poll() is None]
        for pid in found:
            found += _children(pid)
        return found

    def stop(self, *names: str) -> list[int]:
        """SIGTERM to all of them once they are ready; their exit codes, -9 for one that had to be killed at last.

        A process that still reads its modules ends by the signal itself: it had nothing to finish.
        """
        self._wait_for(names)
        for name in names:
            self._processes[name].send_signal(signal.SIGTERM)
        return [self._ended(name) for name in names]

    def refusal(self, name: str) -> str:
        """What a process says that does not start."""
        done = subprocess.run(self._command(name), cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done
        return done.stderr

    def door(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", self._ports[name]

    def log(self, name: str) -> str:
        """All that a process wrote since it was last started."""
        return self._log(name).read_text(encoding="utf-8")

    def settle(self, seconds: float = PATIENCE_S) -> None:
        """Waits until nothing is left to open nor to send."""
        until("nothing is due", lambda: not self._due(), seconds)

    def close(self) -> None:
        """Ends everything."""
        for name, process in self._processes.items():
            if process.poll() is None:
                self.kill(name)
        self.store.close()
        self.outside.stop()

    def is_well(self, name: str) -> bool:
        """What `oct health` says of a process."""
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in self._environment(name).items():
                patch.setenv(variable, value)
            code, told = commanded(self.directory, "health", *_identity(name))
        assert code in (0, 1), told
        return code == 0

    def _environment(self, name: str) -> dict[str, str]:
        port = self._ports.setdefault(name, free_port())
        return {f"OCT_{door}__LISTEN": f"127.0.0.1:{port}" for door in ("SMTP", "WEB")}

    def _command(self, name: str) -> list[str | Path]:
        return [*self.program, "run", *_identity(name), "--config", self.directory / "oct.toml"]

    def _ended(self, name: str) -> int:
        process = self._processes[name]
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill(name)
            return process.returncode

    def _wait_for(self, names: Iterable[str]) -> None:
        for name in names:
            until(f"{name} is ready", lambda name=name: self._is_ready(name))  # type: ignore[misc]

    def _is_ready(self, name: str) -> bool:
        assert self._processes[name].poll() is None, self.log(name)
        return "Prêt" in self.log(name)

    def _due(self) -> bool:
        with self.store.read() as conn:
            return messages.oldest_due(conn) is not None or bool(consignments.backlog(conn))

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


def _identity(name: str) -> tuple[str, ...]:
    role, _, rank = name.partition("-")
    return "--role", role, "--name", rank


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # it may end while it is looked at
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def fill(directory: Path, url: str) -> None:
    """Makes what fleets start from, by the operator's commands: keys in a directory, an empty database migrated and
    filled with the golden practitioners, insurers and certificates."""
    master = directory / "keys" / "master"
    master.mkdir(parents=True)
    create_master_key(master / "essai.master")
    for own in ("oct.key", "oct.pem", "oct-old.key", "oct-old.pem"):
        shutil.copy(PKI / own, directory / "keys")
    (directory / "oct.toml").write_text(f'[store]\nurl = "{url}"\n', encoding="utf-8")
    operate(directory, "migrate")
    operate(directory, "init", ".")
    operate(directory, "ps", "import", str(CLAIMS / "praticiens.csv"))
    for table in ("orgdest.csv", "amc.csv"):
        operate(directory, "insurers", "import", str(CLAIMS / table))
    operate(directory, "certs", "add", str(PKI / "chaine.pem"), *map(str, PKI.glob("*@*.pem")))
