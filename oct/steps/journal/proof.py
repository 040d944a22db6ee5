"""Hands out the proof of the trace, and verifies the log where it stands (J2, T1, T2).

Takes one snapshot of the database; neither needs the key that signs. An export is written beside its place and moved
there when it is whole, so that an interrupted one leaves no bundle. Failure: ProofError (the log itself does not hold),
OSError (the file).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from oct.steps.journal.evidence import prover
from oct.store import journal, log_lines, retention, stamps
from oct.store.engine import Store
from oct.store.log_lines import Selection
from oct.trace.bundle import Chosen, Log, write_bundle
from oct.trace.verify import (
    Gaps,
    ProofError,
    PublicKeys,
    TreeHead,
    check_log,
    check_published,
)

_LATE_MS = 120_000
"""An event this much older than the newest head was written by nobody here, or it would be under the tree."""


def export(store: Store, path: Path, selection: Selection | None, now: int) -> int:
    """Writes the bundle of a selection, or of the whole log (None); how many events."""
    draft = path.with_name(path.name + ".partiel")
    try:
        with store.read() as conn:
            heads = journal.heads(conn)
            log = Log(
                heads,
                partial(journal.leaves, conn),
                partial(prover, conn, heads[-1] if heads else None),
                stamped=stamps.sizes(conn),
                tokens=partial(stamps.tokens, conn),
            )
            count = write_bundle(draft, log, _chosen(conn, log.size, selection), exported_at=now)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return count


def _chosen(conn: Connection, size: int, selection: Selection | None) -> Chosen:
    purged, wanted = retention.emptied(conn), selection or Selection()
    return Chosen(
        lines=_present(conn, size, wanted, purged),
        details=log_lines.details(conn, size, wanted),
        whole=selection is None,
        purged=purged,
    )


def _present(conn: Connection, size: int, selection: Selection, purged: int) -> Iterator[tuple[int, bytes]]:
    for seq, line in log_lines.lines(conn, size, selection, purged):
        if not line:
            raise ProofError(f"L'événement n° {seq} manque : supprimé de la base.", seq)
        yield seq, line


def verify_live(store: Store, keys: PublicKeys, published: Sequence[TreeHead], now: int) -> int:
    """Verifies the log in the database against its heads and those published; how many events. Raises ProofError."""
    with store.read() as conn:
        heads = journal.heads(conn)
        size = heads[-1].size if heads else 0
        sealed = journal.sealed_count(conn)
        lines = (line for _, line in log_lines.lines(conn, sealed))
        gaps = Gaps((seq, detail.encode()) for seq, detail in log_lines.details(conn, sealed))
        count = check_log(lines, journal.leaves(conn, 0, sealed), heads, keys, published, gaps)
        check_published(heads, published, now)
        stranger = journal.first_unsealed(conn, heads[-1].at - _LATE_MS) if size else None
    if stranger is not None:
        raise ProofError(f"L'événement d'identifiant {stranger} n'est sous aucune tête : il a été ajouté après coup.")
    return count
