"""Writes outside the database what was accepted and what was handed over, so that a restore can tell it (T5).

Appends the canonical lines of the sealed events of receptions and deliveries to a file, in their order, after each
sealing: trace numbers, instants, digests, replies; no payload. What was appended and not noted is appended again; who
reads it takes each line once. Failure: StoreError "registre-non-ecrit", and the next run goes on.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from oct.errors import StoreError
from oct.store import counters, journal, log_lines
from oct.store.engine import Store
from oct.store.log_lines import Selection
from oct.trace.heads import append_lines, turn

RECEIVED, HANDED_OVER = ("recu", "nouveau"), ("remise", "remis")
_TOLD = Selection(kinds=(RECEIVED, HANDED_OVER))
_REACHED = "journal:registre"
_PLACES = 5000


class Logbook:
    """The file; one at a time on this machine writes it, the process that seals."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path

    def run(self) -> int:
        """Appends what was sealed since; how many events were looked at."""
        try:
            with turn(self._path):
                return sum(iter(self._append_some, 0))
        except OSError as cause:
            raise StoreError("registre-non-ecrit", f"Le registre {self._path} ne peut pas être écrit.") from cause

    def _append_some(self) -> int:
        with self._store.read() as conn:
            first = reached(conn)
            end = min(journal.sealed_count(conn), first + _PLACES)
            if first >= end:
                return 0
            told = [line for _, line in log_lines.lines(conn, end, _TOLD, first=first)]
        if told:
            append_lines(self._path, told)
        with self._store.begin() as conn:
            counters.advance(conn, _REACHED, end - first)
        return end - first


def reached(conn: Connection) -> int:
    """The place in the log before which all is in the file."""
    return counters.value(conn, _REACHED)
