"""Writes what is handed to an auditor: a zip of events, heads, proofs, the verifier and how to use it (see verify.py).

The caller gives the events' lines in their order and where leaves are read; nothing is held in memory but the heads and
one hash for each 256 leaves. OSError when the file cannot be written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from oct.trace import verify
from oct.trace.merkle import Prover
from oct.trace.verify import COLUMNS, DETAIL, FORMAT, TOKENS, TreeHead, csv_line, csv_row, read_event

_DAY_MS = 86_400_000
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Log:
    """The sealed log up to the last of its heads. `leaves(first, end)` gives leaves in order, `prover()` their proofs;
    `stamped` are the sizes of the heads that have a token of a time stamping authority, `tokens(sizes)` gives those of
    some."""

    heads: Sequence[TreeHead]
    leaves: Callable[[int, int], Iterator[bytes]]
    prover: Callable[[], Prover]
    stamped: Set[int]
    tokens: Callable[[Set[int]], Iterator[tuple[int, bytes]]]

    @property
    def size(self) -> int:
        """How many events are sealed."""
        return self.heads[-1].size if self.heads else 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """The events of a bundle, by place: their lines, and the details of readings among them. `whole`: all of the log
    but for the first `purged`."""

    lines: Iterable[tuple[int, bytes]]
    details: Iterable[tuple[int, str]]
    whole: bool
    purged: int = 0


def write_bundle(path: Path, log: Log, chosen: Chosen, *, exported_at: int) -> int:
    """Writes the bundle of these events; how many."""
    whole = chosen.whole
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=3) as files, TemporaryFile() as table:
        about = {
            "exported_at": exported_at, "format": FORMAT, "purged": chosen.purged, "size": log.size, "whole": whole,
        }  # fmt: skip
        files.writestr("lot.json", json.dumps(about, indent=1) + "\n")
        files.writestr("verify.py", Path(verify.__file__).read_bytes())
        files.writestr("COMMENT-VERIFIER.md", (_HERE / "COMMENT-VERIFIER.md").read_bytes())
        heads = log.heads if whole else _chain(log.heads, log.stamped)
        files.writestr("tetes.jsonl", b"".join(head.line() + b"\n" for head in heads))
        _write_tokens(files, log, heads)
        with files.open("evenements.jsonl", "w", force_zip64=True) as events:
            places = _write_events(chosen.lines, events, table)
        with files.open("evenements.csv", "w", force_zip64=True) as copy:
            table.seek(0)
            while block := table.read(1 << 20):
                copy.write(block)
        with files.open("acces.jsonl", "w", force_zip64=True) as access:
            for seq, detail in chosen.details:
                access.write(json.dumps({DETAIL: detail, "seq": seq}, ensure_ascii=False).encode() + b"\n")
        if whole:
            with files.open("empreintes.bin", "w", force_zip64=True) as leaves:
                for leaf in log.leaves(0, log.size):
                    leaves.write(leaf)
        else:
            with files.open("preuves.jsonl", "w", force_zip64=True) as proofs:
                _write_proofs(proofs, log, heads, places)
    return len(places)


def _chain(heads: Sequence[TreeHead], stamped: Set[int]) -> list[TreeHead]:
    """What a selection shows of the log's growth: the last head of each day (UTC) that has a token, else the last of
    the day; and the last of all."""
    days: dict[int, TreeHead] = {}
    for head in heads:
        before = days.setdefault(head.at // _DAY_MS, head)
        if head.size in stamped or before.size not in stamped:
            days[head.at // _DAY_MS] = head
    chain = list(days.values())
    return chain if chain[-1:] == list(heads[-1:]) else [*chain, heads[-1]]


def _write_tokens(files: ZipFile, log: Log, heads: Sequence[TreeHead]) -> None:
    """Each token with the very bytes that it dates."""
    lines = {head.size: head.line() for head in heads}
    for size, token in log.tokens(log.stamped & lines.keys()):
        files.writestr(f"{TOKENS}{size}.tsr", token)
        files.writestr(f"{TOKENS}{size}.tete", lines[size])


def _write_events(lines: Iterable[tuple[int, bytes]], events: IO[bytes], table: IO[bytes]) -> list[int]:
    places = []
    table.write(csv_line(COLUMNS).encode())
    for seq, line in lines:
        events.write(line + b"\n")
        table.write(csv_row(read_event(line)).encode("utf-8", "surrogatepass"))
        places.append(seq)
    return places


def _write_proofs(proofs: IO[bytes], log: Log, heads: Sequence[TreeHead], places: Iterable[int]) -> None:
    prover = log.prover()
    for earlier, later in pairwise(heads):
        path = prover.consistency(earlier.size, later.size)
        proofs.write(_proof({"from": earlier.size, "to": later.size}, path))
    for seq in places:
        proofs.write(_proof({"seq": seq}, prover.inclusion(seq)))


def _proof(about: dict[str, Any], path: Iterable[bytes]) -> bytes:
    return json.dumps({**about, "path": [node.hex() for node in path]}, separators=(",", ":")).encode() + b"\n"
