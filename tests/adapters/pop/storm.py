"""Clients that poll while the server is killed: what P6 promises, measured. `make soak` runs its long form."""

from __future__ import annotations

import os
import poplib
import queue
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from oct.store.engine import open_store
from tests.adapters.pop.boxes import PASSWORD, House, letter, open_mailboxes, write_identity

_ROOT = Path(__file__).parents[3]


@dataclass(slots=True)
class Findings:
    """What the clients saw. `faults` are broken promises, in words."""

    kills: int = 0
    sessions: int = 0
    read: Counter[bytes] = field(default_factory=Counter)
    """How often each return was read whole."""
    faults: list[str] = field(default_factory=list)


class _Client(poplib.POP3_SSL):
    """Python's client, which forgets to close its socket when there is no greeting."""

    def __init__(self, host: str, port: int, *, timeout: float, context: ssl.SSLContext) -> None:
        try:
            super().__init__(host, port, timeout=timeout, context=context)
        except BaseException:
            if hasattr(self, "sock"):
                self.close()
            raise


class Storm:
    """Some mailboxes full of returns, a server in a process of its own, clients in threads."""

    def __init__(self, url: str, folder: Path, *, boxes: int, returns: int) -> None:
        self.findings = Findings()
        self._logins = [f"cabinet{number}" for number in range(1, boxes + 1)]
        self._url = url
        self._store = open_store(url)
        self._house = House(self._store, open_mailboxes(self._store, os.urandom), hashed="")
        self._owners = {login: self._house.add(login) for login in self._logins}
        for login, owner in self._owners.items():
            self._house.put(owner, *(letter(login, number) for number in range(returns)))
        self._expected = {letter(login, number) for login in self._logins for number in range(returns)}
        authority = trustme.CA()
        _, self._chain, self._key = write_identity(authority, folder)
        self._trusting = ssl.create_default_context()
        authority.configure_trust(self._trusting)
        self._port = "0"
        self._work: queue.Queue[str] = queue.Queue()
        self._left: defaultdict[str, set[bytes]] = defaultdict(set)
        """UIDs that a QUIT was sent for: gone, or not if the server died before it heard."""
        self._seen: dict[str, set[bytes]] = {}
        self._turn = threading.Lock()

    def rage(self, clients: int, kill_every: float) -> Findings:
        """Polls until every mailbox is empty; the server lives for `kill_every` seconds and one session at least."""
        for login in self._logins:
            self._work.put(login)
        threads = [threading.Thread(target=self._poll) for _ in range(clients)]
        with self._nursery() as nursery:
            server = self._start(nursery)
            try:
                for thread in threads:
                    thread.start()
                while self._lives(threads, kill_every):
                    os.kill(server, signal.SIGKILL)
                    self.findings.kills += 1
                    server = self._start(nursery)
            finally:
                os.kill(server, signal.SIGKILL)
        self._judge()
        self._store.close()
        return self.findings

    def _lives(self, threads: Sequence[threading.Thread], kill_every: float) -> bool:
        """Waits for the end of the server's life; False when the clients are done before."""
        started, before = time.monotonic(), self.findings.sessions
        while time.monotonic() - started < kill_every or self.findings.sessions == before:
            if not any(thread.is_alive() for thread in threads):
                return False
            time.sleep(0.01)
        return True

    def _nursery(self) -> subprocess.Popen[bytes]:
        """What starts servers."""
        command = [sys.executable, "-m", "tests.adapters.pop.program", self._url, str(self._chain), str(self._key)]
        return subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _start(self, nursery: subprocess.Popen[bytes]) -> int:
        """One more server, on the port of the one before; its pid."""
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        nursery.stdin.write(f"{self._port}\n".encode())
        nursery.stdin.flush()
        pid, self._port = nursery.stdout.readline().decode().split()
        return int(pid)

    def _poll(self) -> None:
        """One client: takes the next mailbox, and puts it back until a QUIT was answered."""
        while True:
            try:
                login = self._work.get_nowait()
            except queue.Empty:
                return
            try:
                self._session(login)
            except (OSError, EOFError, poplib.error_proto):
                self._work.put(login)
                time.sleep(0.01)

    def _session(self, login: str) -> None:
        """Reads and deletes all there is."""
        client = _Client("127.0.0.1", int(self._port), timeout=30, context=self._trusting)
        try:
            client.user(login)
            client.pass_(PASSWORD)
            shown = [line.split()[1] for line in client.uidl()[1]]
            self._compare(login, set(shown))
            for number in range(1, len(shown) + 1):
                self._keep(login, b"".join(line + b"\r\n" for line in client.retr(number)[1]))
                client.dele(number)
            self._left[login] |= set(shown)
            client.quit()
        finally:
            client.close()
        with self._turn:
            self.findings.sessions += 1

    def _compare(self, login: str, shown: set[bytes]) -> None:
        """None gone without QUIT; none under a UIDL that was not there before."""
        before = self._seen.setdefault(login, shown)
        if not before - self._left[login] <= shown <= before:
            self.findings.faults.append(f"{login}: a return went without QUIT, or came under another UIDL")

    def _keep(self, login: str, content: bytes) -> None:
        with self._turn:
            self.findings.read[content] += 1
        if f"X-Boite: {login}\r\n".encode() not in content:
            self.findings.faults.append(f"{login}: read a return of another mailbox")

    def _judge(self) -> None:
        if set(self.findings.read) != self._expected:
            self.findings.faults.append("a return was never read, or another than those put in")
        for login, owner in self._owners.items():
            counts = self._house.counts(owner)
            if counts.visible or counts.hidden != len(self._expected) // len(self._logins):
                self.findings.faults.append(f"{login}: {counts}")
