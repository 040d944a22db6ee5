"""What a simulated insurer received: an append-only file of messages, that a test reads while or after it runs.

An entry is a line of JSON (`at` in milliseconds, `from`, `to`, `size`) followed by the raw message and an end of line.
In a directory the ledger is durable: `commit` returns after fsync, and a torn entry at the end, left by a killed
process, is dropped when the ledger is opened again. Without a directory it lives in a temporary file. Messages are
read back from the file, so that memory does not grow with what arrived.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

FILE_NAME = "arrivals.ledger"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message for one address. `number` counts from 1; `received_at` in milliseconds."""

    number: int
    received_at: int
    mail_from: str
    rcpt_to: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    received_at: int
    mail_from: str
    rcpt_to: str
    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size + 1


class Ledger:
    """The entries, in order of arrival. Written by one thread, read by any."""

    def __init__(self, directory: Path | None = None) -> None:
        self._file, self._durable = _open(directory), directory is not None
        self._entries = list(_entries(self._file))
        self._end = self._entries[-1].end if self._entries else 0
        self._file.truncate(self._end)
        self._written: list[_Entry] = []
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return len(self._entries)

    def __getitem__(self, index: int) -> Arrival:
        with self._changed:
            place = range(len(self._entries))[index]
            entry = self._entries[place]
        raw = os.pread(self._file.fileno(), entry.size, entry.start)
        return Arrival(place + 1, entry.received_at, entry.mail_from, entry.rcpt_to, raw)

    def __iter__(self) -> Iterator[Arrival]:
        return (self[index] for index in range(len(self)))

    def append(self, received_at: int, mail_from: str, rcpt_to: str, raw: bytes) -> None:
        """Writes one entry; it is shown, and durable, after `commit`."""
        facts = {"at": received_at, "from": mail_from, "to": rcpt_to, "size": len(raw)}
        head = json.dumps(facts).encode() + b"\n"
        os.pwrite(self._file.fileno(), head + raw + b"\n", self._end)
        entry = _Entry(received_at, mail_from, rcpt_to, self._end + len(head), len(raw))
        self._end = entry.end
        self._written.append(entry)

    def commit(self) -> None:
        """Makes what was appended durable, then shows it."""
        if self._durable:
            os.fsync(self._file.fileno())
        with self._changed:
            self._entries += self._written
            self._written = []
            self._changed.notify_all()

    def wait_for(self, count: int, timeout: float) -> bool:
        """Waits until there are `count` entries in all; False when `timeout` seconds were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._entries) >= count, timeout)

    def close(self) -> None:
        """Closes the file: nothing can be read any more."""
        self._file.close()


def read_ledger(directory: Path) -> tuple[Arrival, ...]:
    """The whole entries of a ledger that another process writes or wrote."""
    with (directory / FILE_NAME).open("rb") as file:
        entries = list(_entries(file))
        raws = [os.pread(file.fileno(), entry.size, entry.start) for entry in entries]
    return tuple(
        Arrival(number, entry.received_at, entry.mail_from, entry.rcpt_to, raw)
        for number, (entry, raw) in enumerate(zip(entries, raws, strict=True), 1)
    )


def _open(directory: Path | None) -> BinaryIO:
    if directory is None:
        return tempfile.TemporaryFile(buffering=0)
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    return os.fdopen(descriptor, "r+b", buffering=0)


def _entries(file: BinaryIO) -> Iterator[_Entry]:
    """The whole entries of a file, a torn one at its end left out."""
    length = os.fstat(file.fileno()).st_size
    with os.fdopen(os.dup(file.fileno()), "rb") as reader:
        reader.seek(0)
        while (head := reader.readline()).endswith(b"\n"):
            facts = json.loads(head)
            entry = _Entry(facts["at"], facts["from"], facts["to"], reader.tell(), facts["size"])
            if entry.end > length:
                return
            yield entry
            reader.seek(entry.end)
