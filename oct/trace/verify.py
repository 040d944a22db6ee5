"""Verifies an export of the trace of an OCT concentrator, on any machine: `python verify.py BUNDLE --key PUBLIC.pem`.

This file stands alone (Python 3.11, `cryptography`) and a copy of it goes into every bundle. It says that all is as it
was sealed (exit 0), or names the first bad event (exit 1); 2 is wrong use. As a module it raises `ProofError`.

Formats. An event is one line of canonical JSON (see canonical.py); its leaf is SHA-256(00 || line without its end).
Nodes are SHA-256(01 || left || right), as RFC 9162 §2.1.1 has it. A tree head is one line of JSON: size, at (ms UTC),
root, key (first 8 bytes of the SHA-256 of the raw public key), signature: all binary values in hexadecimal. Ed25519
signs the text "oct-tree-head-v1\\n<size>\\n<at>\\n<root in hexadecimal>\\n".

A bundle is a zip: `lot.json` (format, exported_at, whole, size), `evenements.jsonl`, `evenements.csv` (the same),
`tetes.jsonl` (heads by size). The whole log has `empreintes.bin` (32 bytes a leaf) besides: every head is recomputed.
A selection has `preuves.jsonl`: {"from", "to", "path"} from each head to the next, {"seq", "path"} for each event, to
the last head. A selection proves that its events are in the log as they were, not that nothing else was left out.

`jetons/` has, for some heads, the answer of a time stamping authority (RFC 3161, `<size>.tsr`) and the line that it
dates (`<size>.tete`). Here only that they go together is checked; the rest is for `openssl ts -verify`.

What is kept for less long than the log (T3) may be missing, if a purge says so: an event of kind "purge" and outcome
"acces" or "journal", whose `avant` is the place before which all is gone. Of readings (kind "consulte") only who and
what goes: their line holds the SHA-256 of a line of `acces.jsonl` ({"seq", "detail"}: the text of detail). Old events
go whole; their leaves stay, `purged` of lot.json says how many. A purge of what was sealed lately is none: the heads
tell when a place was sealed and when the purge was.

Heads published outside the database (`--heads`) are what shows that an older copy was restored or that somebody who
holds the key computed the whole log anew.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import sys
import zipfile
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice, pairwise, repeat
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "oct-trace-1"
COLUMNS = (
    "seq", "at", "kind", "outcome", "trace", "message", "consignment", "return", "practitioner", "insurer", "actor",
    "id", "data",
)  # fmt: skip
"""Of the CSV, in this order; all but `at` (there ISO 8601) and `data` (there JSON) as in the line of the event."""
LEAF = 32
TOKENS = "jetons/"
_FILES = frozenset({
    "lot.json", "verify.py", "COMMENT-VERIFIER.md", "tetes.jsonl", "evenements.jsonl", "evenements.csv", "acces.jsonl",
    "empreintes.bin", "preuves.jsonl",
})  # fmt: skip
READING, DETAIL = "consulte", "detail"
PURGE, ACCESS, JOURNAL = "purge", "acces", "journal"
_DAY_MS = 86_400_000
_YOUNGEST = {ACCESS: 30 * _DAY_MS, JOURNAL: 365 * _DAY_MS}
"""How long anything is kept at least, in ms."""
PublicKeys = Mapping[str, Ed25519PublicKey]
_END = 1 << 62


class ProofError(Exception):
    """What does not hold. `seq` is the first bad event (from 0), or the first that may be where the sentence gives an
    interval; None when it is not about one."""

    def __init__(self, sentence: str, seq: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.seq = seq


# Hashing (RFC 9162 §2.1) -------------------------------------------------------------------------------------


def leaf_hash(line: bytes) -> bytes:
    """The leaf of an event."""
    return hashlib.sha256(b"\0" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node above two others."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf and remembers only the roots of its perfect subtrees, the largest first."""

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)

    def add(self, leaf: bytes) -> None:
        """One leaf more."""
        below = self.size
        while below & 1:
            leaf = node_hash(self.peaks.pop(), leaf)
            below >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The hash of the whole tree."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def is_included(leaf: bytes, seq: int, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` leads from the leaf at `seq` to the root of the tree of `size` (RFC 9162 §2.1.3.2)."""
    if not 0 <= seq < size:
        return False
    index, last, node = seq, size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if index & 1 or index == last:
            node = node_hash(other, node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, other)
        index, last = index >> 1, last >> 1
    return last == 0 and node == root


def is_consistent(size: int, root: bytes, later_size: int, later_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that the later tree began with the earlier one (RFC 9162 §2.1.4.2)."""
    if size == later_size:
        return not path and root == later_root
    if not 0 < size < later_size:
        return False
    steps = list(path)
    if size & (size - 1) == 0:
        steps.insert(0, root)
    if not steps:
        return False
    index, last = size - 1, later_size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    early = late = steps[0]
    for other in steps[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            early, late = node_hash(other, early), node_hash(other, late)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            late = node_hash(late, other)
        index, last = index >> 1, last >> 1
    return last == 0 and early == root and late == later_root


# Tree heads --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What the log was at an instant (ms UTC): its size and root, signed by the key of that id."""

    size: int
    at: int
    root: bytes
    key: str
    signature: bytes

    def line(self) -> bytes:
        """As it is published, without line end."""
        fields = {
            "at": self.at, "key": self.key, "root": self.root.hex(), "signature": self.signature.hex(),
            "size": self.size,
        }  # fmt: skip
        return json.dumps(fields, separators=(",", ":")).encode()


def signed_text(size: int, at: int, root: bytes) -> bytes:
    """What the signature of a head covers."""
    return f"oct-tree-head-v1\n{size}\n{at}\n{root.hex()}\n".encode()


def key_id(key: Ed25519PublicKey) -> str:
    """How a head names its key."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def read_public_keys(pems: Iterable[bytes]) -> dict[str, Ed25519PublicKey]:
    """The keys of PEM files, several in one file when keys were rolled over. Raises ProofError."""
    found = {}
    for pem in pems:
        for block in re.findall(b"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", pem, re.DOTALL):
            try:
                key = serialization.load_pem_public_key(block)
            except ValueError:
                raise ProofError("Une clé publique ne peut pas être lue.") from None
            if isinstance(key, Ed25519PublicKey):
                found[key_id(key)] = key
    if not found:
        raise ProofError("Aucune clé publique Ed25519 (PEM) n'a été donnée.")
    return found


def read_head(line: bytes) -> TreeHead:
    """A published line. Raises ProofError."""
    try:
        fields = json.loads(line)
        size, at, key = fields["size"], fields["at"], fields["key"]
        root, signature = bytes.fromhex(fields["root"]), bytes.fromhex(fields["signature"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProofError("Une tête signée est illisible.") from None
    if type(size) is not int or type(at) is not int or size < 1 or not 0 <= at < _END or type(key) is not str:
        raise ProofError("Une tête signée est illisible.")
    return TreeHead(size, at, root, key, signature)


def trusted_heads(heads: Iterable[TreeHead], keys: PublicKeys) -> tuple[list[TreeHead], str]:
    """The heads before the first that none of the keys signed; what is wrong with that one, "" when all are good."""
    trusted: list[TreeHead] = []
    for head in heads:
        if head.key not in keys:
            return trusted, f"La clé {head.key[:16]!a} de la tête {_named(head)} n'a pas été donnée."
        try:
            keys[head.key].verify(head.signature, signed_text(head.size, head.at, head.root))
        except InvalidSignature:
            return trusted, f"La signature de la tête {_named(head)} est fausse."
        trusted.append(head)
    return trusted, ""


def check_order(heads: Sequence[TreeHead]) -> None:
    """Raises ProofError unless the heads, in their order, grow in size and in time."""
    for earlier, later in pairwise(heads):
        if later.size <= earlier.size or later.at <= earlier.at:
            raise ProofError(
                f"Après la tête {_named(earlier)} vient la tête {_named(later)} : "
                "une copie antérieure a été restaurée, ou des têtes ont été déplacées.",
                min(later.size, earlier.size),
            )


# What may be missing -----------------------------------------------------------------------------------------


class Gaps:
    """What is not there, and what purges declared, gathered along the log; `check` at its end."""

    def __init__(self, details: Iterable[tuple[int, bytes]] = ()) -> None:
        """`details` of readings, by place, in their order."""
        self.emptied = 0
        """The place before which the events are not there."""
        self._details = iter(details)
        self._next = next(self._details, None)
        self._declared: dict[str, list[tuple[int, int]]] = {ACCESS: [], JOURNAL: []}
        self._unread = array("q")  # readings without detail

    def see(self, seq: int, event: Mapping[str, Any]) -> None:
        """One event more. Raises ProofError when its detail is not what it was."""
        data = event.get("data")
        if not isinstance(data, dict):
            return
        if event.get("kind") == PURGE:
            what, before = event.get("outcome"), data.get("avant")
            if what in self._declared and type(before) is int:
                self._declared[what].append((before, seq))
        elif event.get("kind") == READING and DETAIL in data:
            self._see_reading(seq, data[DETAIL])

    def _see_reading(self, seq: int, digest: object) -> None:
        if self._next is not None and self._next[0] == seq:
            if hashlib.sha256(self._next[1]).hexdigest() != digest:
                raise ProofError(f"Le détail de la consultation n° {seq} a été altéré.", seq)
            self._next = next(self._details, None)
        else:
            self._unread.append(seq)

    def check(self, heads: Sequence[TreeHead]) -> None:
        """Raises ProofError unless purges that the log holds declare all that is missing."""
        self.check_given()
        allowed = {what: self._allowed(what, heads) for what in self._declared}
        if self.emptied > allowed[JOURNAL]:
            bad = allowed[JOURNAL]
            raise ProofError(f"L'événement n° {bad} manque, et aucune purge ne le déclare.", bad)
        young = bisect_left(self._unread, allowed[ACCESS])
        if young < len(self._unread):
            bad = self._unread[young]
            raise ProofError(f"Le détail de la consultation n° {bad} manque, et aucune purge ne le déclare.", bad)

    def check_given(self) -> None:
        """Raises ProofError when a detail is left over: all that can be said of a selection, which has no purges."""
        if self._next is not None:
            raise ProofError(f"Un détail est donné pour le n° {self._next[0]}, qui n'en a pas.", self._next[0])

    def _allowed(self, what: str, heads: Sequence[TreeHead]) -> int:
        """The place before which this may be missing. Raises ProofError for a purge that came too early."""
        sizes, reached = [head.size for head in heads], 0
        for before, seq in self._declared[what]:
            sealed, declared = bisect_left(sizes, before), bisect_right(sizes, seq)
            if declared == len(heads) or before > seq or heads[sealed].at > heads[declared].at - _YOUNGEST[what]:
                raise ProofError(f"La purge déclarée par l'événement n° {seq} porte sur ce qui devait rester.", seq)
            reached = max(reached, before)
        return reached

    @property
    def told(self) -> str:
        """What is missing, for who reads the verdict."""
        said = [f"{self.emptied} événements"] if self.emptied else []
        said += [f"les détails de {len(self._unread)} consultations"] if self._unread else []
        return f"Purgés, comme le journal le déclare : {', '.join(said)}." if said else ""


# The log -----------------------------------------------------------------------------------------------------


def check_published(heads: Sequence[TreeHead], published: Sequence[TreeHead], exported_at: int) -> None:
    """Raises ProofError when the log's heads are not those that were published outside, up to `exported_at` (ms)."""
    check_order(published)
    if not published:
        return
    by_size = {head.size: head for head in published}
    first_at, last_at = published[0].at, published[-1].at
    agreed = 0
    for head in heads:
        outside = by_size.get(head.size)
        if outside is None and first_at <= head.at <= last_at:
            raise _since(f"La tête {_named(head)} n'a jamais été publiée : le journal a été recalculé", agreed, head)
        if outside is not None and outside.root != head.root:
            raise _since(f"La tête {_named(head)} a été publiée autrement : le journal a été recalculé", agreed, head)
        agreed = head.size if outside is not None else agreed
    size = heads[-1].size if heads else 0
    for head in published:
        if head.size > size and head.at <= exported_at:
            raise ProofError(
                f"Les têtes du journal s'arrêtent avant l'événement n° {size}, alors que la tête {_named(head)} a été "
                "publiée : sa fin a été coupée, ou une copie antérieure restaurée.",
                size,
            )


def check_log(
    lines: Iterable[bytes],
    leaves: Iterable[bytes],
    heads: Sequence[TreeHead],
    keys: PublicKeys,
    published: Sequence[TreeHead] = (),
    gaps: Gaps | None = None,
) -> int:
    """Recomputes every head from the events (lines without end) in their order; how many events. Raises ProofError.

    `leaves` are the leaves as they were kept: they tell which event was altered; the heads prove the leaves. An event
    that was emptied is an empty line; `gaps` knows the details. A head that none of the keys signed proves nothing, nor
    do those after it: what is named then is the first event that no other head covers.
    """
    trusted, wrong = trusted_heads(heads, keys)
    check_order(trusted)
    try:
        count = _check_whole(lines, leaves, trusted, published, gaps or Gaps())
    except ProofError as fault:
        raise ProofError(f"{wrong} {fault.sentence}".lstrip(), fault.seq) from None
    if wrong:
        raise ProofError(f"{wrong} Les événements sont bien ceux des têtes publiées.")
    return count


def _check_whole(
    lines: Iterable[bytes],
    leaves: Iterable[bytes],
    heads: Sequence[TreeHead],
    published: Sequence[TreeHead],
    gaps: Gaps,
) -> int:
    awaited: dict[int, list[TreeHead]] = {}
    for head in (*heads, *published):
        awaited.setdefault(head.size, []).append(head)
    tree, told, kept = Tree(), iter(lines), iter(leaves)
    stretch = _Stretch(Tree())
    for line in told:
        leaf = next(kept, None)
        stretch.add(line, leaf)
        try:
            tree.add(_judged(line, leaf, tree.size, gaps))
            for head in awaited.get(tree.size, ()):
                if head.root != tree.root():
                    said = f"La tête {_named(head)} ne correspond pas aux événements : l'altération commence"
                    raise _since(said, stretch.before.size, head)
        except ProofError as fault:
            raise stretch.blamed(fault, awaited, told, kept) from None
        if tree.size in awaited:
            stretch = _Stretch(Tree(tree.size, tree.peaks))
    announced = next((head for head in heads if head.size > tree.size), None)
    if announced is not None:
        said = f"L'événement n° {tree.size} manque : la tête {_named(announced)} l'annonce."
        raise stretch.blamed(ProofError(said, tree.size), awaited, told, kept)
    if next(kept, None) is not None:
        raise ProofError(f"L'événement n° {tree.size} manque : son empreinte est là, non sa ligne.", tree.size)
    proven = stretch.before.size
    if proven != tree.size:
        raise ProofError(f"L'événement n° {proven} n'est sous aucune tête signée avec une clé donnée.", proven)
    gaps.check(heads)
    return tree.size


def _judged(line: bytes, leaf: bytes | None, seq: int, gaps: Gaps) -> bytes:
    """The leaf of the line that stands at a place. Raises ProofError when it belongs elsewhere or is another."""
    if not line and seq == gaps.emptied and leaf is not None:
        gaps.emptied += 1
        return leaf
    event = read_event(line) if line else {}
    _check_place(line, event.get("seq"), seq)
    gaps.see(seq, event)
    if leaf != leaf_hash(line):
        raise ProofError(f"L'événement n° {seq} ne correspond pas à son empreinte : il a été altéré.", seq)
    return leaf


def _check_place(line: bytes, found: object, seq: int) -> None:
    if found == seq:
        return
    if line and type(found) is int and found < seq:
        raise ProofError(f"À la place de l'événement n° {seq} se trouve le n° {found} : ajouté ou déplacé.", seq)
    raise ProofError(f"L'événement n° {seq} manque : supprimé ou déplacé.", seq)


_RUN = 8
"""Events inserted one after the other that are looked for."""


class _Stretch:
    """The events since the last head that agreed (`before` is its tree), to say where they go wrong once they do."""

    def __init__(self, before: Tree) -> None:
        self.before = before
        self._lines: list[bytes] = []
        self._leaves: list[bytes | None] = []

    def add(self, line: bytes, leaf: bytes | None) -> None:
        """One event more, with its leaf as it was kept."""
        self._lines.append(line)
        self._leaves.append(leaf)

    def blamed(
        self, fault: ProofError, heads: Mapping[int, Sequence[TreeHead]], told: Iterator[bytes], kept: Iterator[bytes]
    ) -> ProofError:
        """What is wrong, as exactly as the next head proves it. `told` and `kept` are what follows in the log.

        The event of a fault is the first bad one if the leaves lead to that head; so are events that were inserted, if
        the head comes out without them. Else those of the stretch that precede are not proven, which is said.
        """
        size = min((size for size in heads if size > self.before.size), default=0)
        roots = {head.root for head in heads.get(size, ())}
        count = size - self.before.size
        leaves = [leaf or b"" for leaf in (*self._leaves, *islice(kept, max(0, count - len(self._leaves))))]
        if len(roots) != 1:
            return _unproven_before(fault, self.before.size)
        if fault.seq in range(self.before.size, size) and _root_of(self.before, leaves[:count]) in roots:
            return fault
        with suppress(ProofError):  # of what follows
            self._lines += islice(told, max(0, count + _RUN - len(self._lines)))
        for many in range(1, _RUN + 1):
            first = self._inserted(many, count, roots)
            if first is not None:
                which = f"Un événement a été ajouté, le n° {first}"
                if many > 1:
                    which = f"{many} événements ont été ajoutés, à partir du n° {first}"
                return ProofError(f"{which} : la tête {_named(heads[size][0])} est celle des autres.", first)
        return _unproven_before(fault, self.before.size)

    def _inserted(self, many: int, count: int, roots: Set[bytes]) -> int | None:
        """From which place so many events must be left out, and the others moved back, for the root to come out."""
        first, kept = self.before.size, self._lines[many : many + count]
        if len(kept) < count:
            return None
        stay = [leaf_hash(line) for line in self._lines[:count]]
        moved = [leaf_hash(_moved(line, first + rank)) for rank, line in enumerate(kept)]
        found = _joined_roots(iter(self.before.peaks), stay, moved, (-first, count))
        return next((first + place for place, root in enumerate(found) if root in roots), None)


def _moved(line: bytes, seq: int) -> bytes:
    """The line of the same event at another place."""
    event = {**read_event(line), "seq": seq}
    try:
        text = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:
        return line
    return text.encode("utf-8", "surrogatepass")


def _root_of(before: Tree, leaves: Iterable[bytes]) -> bytes:
    tree = Tree(before.size, before.peaks)
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def _joined_roots(
    peaks: Iterator[bytes], stay: Sequence[bytes], moved: Sequence[bytes], places: tuple[int, int]
) -> list[bytes]:
    """Every root over these places: of all of `moved`, then with one, two… all of `stay` instead at their beginning.
    Places below 0 are under `peaks`, the largest first, and have one root."""
    first, end = places
    if end <= 0:
        return [next(peaks)]
    if end - first == 1:
        return [moved[first], stay[first]]
    middle = first + (1 << ((end - first - 1).bit_length() - 1))
    left = _joined_roots(peaks, stay, moved, (first, middle))
    right = _joined_roots(peaks, stay, moved, (middle, end))
    return [*(node_hash(one, right[0]) for one in left[:-1]), *(node_hash(left[-1], one) for one in right)]


def _unproven_before(fault: ProofError, proven: int) -> ProofError:
    """The fault; with what stands before it, and is proven by no head, said."""
    if fault.seq is None or fault.seq <= proven:
        return fault
    which = (
        f"L'événement n° {proven} n'est prouvé"
        if fault.seq == proven + 1
        else (f"Les événements n° {proven} à {fault.seq - 1} ne sont prouvés")
    )
    return ProofError(f"{fault.sentence} {which} par aucune tête : l'altération peut commencer là.", fault.seq)


def _since(said: str, proven: int, head: TreeHead) -> ProofError:
    """Somewhere between two heads: all that can be said."""
    last = head.size - 1
    where = f"à l'événement n° {proven}" if last <= proven else f"entre les événements n° {proven} et {last}"
    return ProofError(f"{said}, {where}.", proven)


def read_event(line: bytes) -> dict[str, Any]:
    """The fields of an event; none when the line is not one."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def csv_row(event: Mapping[str, Any]) -> str:
    """The line of the CSV that says the same as an event. Raises KeyError for what is none."""
    data = json.dumps(event["data"], ensure_ascii=False, sort_keys=True)
    said = {**event, "at": _instant(event["at"]), "data": data}
    return csv_line([said.get(name) for name in COLUMNS])


def _instant(at: Any) -> str:
    try:
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return str(at)  # nobody's clock: its leaf tells


def csv_line(cells: Sequence[object]) -> str:
    """Cells as RFC 4180 writes them."""
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _named(head: TreeHead) -> str:
    return f"de taille {head.size} du {_date(head.at)}"


def _date(at: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at / 1000, UTC):%d/%m/%Y %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at} ms"


# Bundles -----------------------------------------------------------------------------------------------------


def check_bundle(bundle: Path, keys: PublicKeys, published: Sequence[TreeHead] = ()) -> str:
    """Verifies a bundle; a French sentence that says what holds. Raises ProofError."""
    try:
        with zipfile.ZipFile(bundle) as files:
            return _check_files(files, keys, published)
    except (OSError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ProofError(f"Le lot {bundle.name} est incomplet ou illisible ({type(error).__name__}).") from None


def _check_files(files: zipfile.ZipFile, keys: PublicKeys, published: Sequence[TreeHead]) -> str:
    _check_names(files.namelist())
    about = read_event(files.read("lot.json"))
    exported_at = about.get("exported_at")
    if about.get("format") != FORMAT or type(exported_at) is not int:
        raise ProofError("lot.json n'est pas celui d'un lot de preuve de ce format.")
    heads = _heads(files.read("tetes.jsonl"))
    with (
        files.open("evenements.jsonl") as lines,
        files.open("evenements.csv") as table,
        files.open("acces.jsonl") as access,
    ):
        told = _same_as_csv(_lines(lines), table)
        gaps = Gaps(_details(_lines(access)))
        if about.get("whole") is True:
            with files.open("empreintes.bin") as leaves:
                count = check_log(chain(_emptied(about), told), _chunks(leaves), heads, keys, published, gaps)
            what = f"{count} événements, tout le journal"
        else:
            with files.open("preuves.jsonl") as proofs:
                count = _check_selection(told, _lines(proofs), heads, keys, gaps)
            what = f"{count} événements choisis d'un journal de {heads[-1].size if heads else 0}"
        if table.read(1):
            raise ProofError("evenements.csv a plus de lignes qu'evenements.jsonl.")
    check_published(heads, published, exported_at)
    dated = _check_tokens(files, heads)
    more = f", {dated} horodatées (jetons à vérifier avec openssl : COMMENT-VERIFIER.md)" if dated else ""
    until = f"arrêté au {_date(exported_at)}"
    return f"{what}, {until}, {len(heads)} têtes signées{more} : rien n'a été altéré. {gaps.told}".rstrip()


def _check_names(names: Sequence[str]) -> None:
    """Raises ProofError for a file that is not checked here, or one that another program may read instead."""
    seen: set[str] = set()
    for name in names:
        if name in seen or (name not in _FILES and not name.startswith(TOKENS)):
            raise ProofError(f"Le lot a un fichier de trop : {name[:60]!a}.")
        seen.add(name)


def _check_tokens(files: zipfile.ZipFile, heads: Sequence[TreeHead]) -> int:
    """How many heads have a token. Raises ProofError when one is not about the head that it stands with."""
    lines = {f"{TOKENS}{head.size}": head.line() for head in heads}
    tokens = [name for name in files.namelist() if name.startswith(TOKENS) and name.endswith(".tsr")]
    for name in tokens:
        line = lines.get(name.removesuffix(".tsr"))
        if line is None or files.read(f"{name.removesuffix('.tsr')}.tete") != line:
            raise ProofError(f"Le jeton {name!a} n'est pas celui d'une tête de ce lot.")
        if hashlib.sha256(line).digest() not in files.read(name):
            raise ProofError(f"Le jeton {name!a} ne date pas la tête qui l'accompagne.")
    return len(tokens)


def read_heads(content: bytes, keys: PublicKeys) -> list[TreeHead]:
    """The heads of a file, one a line, their signatures checked. Raises ProofError."""
    heads, wrong = trusted_heads(_heads(content), keys)
    if wrong:
        raise ProofError(wrong)
    return heads


def _heads(content: bytes) -> list[TreeHead]:
    return [read_head(line) for line in content.splitlines() if line]


def _emptied(about: Mapping[str, Any]) -> Iterator[bytes]:
    purged = about.get("purged")
    return repeat(b"", purged if type(purged) is int and 0 < purged < _END else 0)


def _details(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for line in lines:
        told = read_event(line)
        seq, detail = told.get("seq"), told.get(DETAIL)
        if type(seq) is not int or type(detail) is not str:
            raise ProofError("Une ligne d'acces.jsonl n'est pas un détail.")
        yield seq, detail.encode("utf-8", "surrogatepass")


def _check_selection(
    lines: Iterator[bytes], proofs: Iterator[bytes], given: Sequence[TreeHead], keys: PublicKeys, gaps: Gaps
) -> int:
    heads, wrong = trusted_heads(given, keys)
    if wrong:  # and its events are proven under the last one alone
        first = read_event(next(lines, b"")).get("seq")
        raise ProofError(f"{wrong} Aucun événement n'est prouvé, à partir du n° {first}.", first)
    check_order(heads)
    for earlier, later in pairwise(heads):
        path = _path(next(proofs, b""), {"from": earlier.size, "to": later.size})
        if path is None or not is_consistent(earlier.size, earlier.root, later.size, later.root, path):
            raise ProofError(f"La tête {_named(later)} ne prolonge pas la tête {_named(earlier)}.", earlier.size)
    last, count = -1, 0
    for line in lines:
        event = read_event(line)
        seq = event.get("seq")
        if type(seq) is not int or seq <= last or not heads:
            raise ProofError(f"Après l'événement n° {last}, une ligne est ajoutée ou déplacée.", last + 1)
        proof = next(proofs, b"")
        _check_none_missing(proof, seq)
        path = _path(proof, {"seq": seq})
        if path is None or not is_included(leaf_hash(line), seq, heads[-1].size, heads[-1].root, path):
            raise ProofError(f"L'événement n° {seq} n'est pas celui que la tête signée prouve.", seq)
        gaps.see(seq, event)
        last, count = seq, count + 1
    gaps.check_given()
    _check_none_missing(next(proofs, b""), _END)
    return count


def _check_none_missing(proof: bytes, seq: int) -> None:
    about = read_event(proof).get("seq")
    if type(about) is int and about < seq:
        raise ProofError(f"L'événement n° {about} manque : sa preuve est là, non sa ligne.", about)


def _path(line: bytes, about: Mapping[str, int]) -> list[bytes] | None:
    """The path of a proof; None when it is not about this or cannot be read."""
    proof = read_event(line)
    if any(proof.get(name) != value for name, value in about.items()):
        return None
    try:
        return [bytes.fromhex(node) for node in proof["path"]]
    except (KeyError, TypeError, ValueError):
        return None


def _same_as_csv(lines: Iterable[bytes], table: IO[bytes]) -> Iterator[bytes]:
    """The lines, once the CSV was found to say the same."""
    expected = csv_line(COLUMNS).encode()
    if table.read(len(expected)) != expected:
        raise ProofError("evenements.csv n'a pas les bons titres.")
    for line in lines:
        yield line  # judged by its proof first
        event = read_event(line)
        try:
            expected = csv_row(event).encode("utf-8", "surrogatepass")
        except (KeyError, RecursionError):
            raise ProofError("Une ligne n'est pas un événement.", event.get("seq")) from None
        if table.read(len(expected)) != expected:
            raise ProofError(f"evenements.csv ne dit pas la même chose de l'événement n° {event['seq']}.", event["seq"])


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    return (line.removesuffix(b"\n") for line in file)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(LEAF), b"")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Vérifie un lot de preuve exporté par « oct trace export ».")
    parser.add_argument("bundle", type=Path, metavar="LOT")
    parser.add_argument("--key", type=Path, action="append", required=True, metavar="CLE.pem", help="clé publique")
    parser.add_argument("--heads", type=Path, metavar="FICHIER", help="têtes signées, gardées ailleurs")
    given = parser.parse_args(arguments)
    try:
        pems = [path.read_bytes() for path in given.key]
        outside = given.heads.read_bytes() if given.heads else b""
    except OSError as error:
        print(f"{error.filename} : {error.strerror}", file=sys.stderr)
        return 2
    try:
        keys = read_public_keys(pems)
        print(check_bundle(given.bundle, keys, read_heads(outside, keys)))
    except ProofError as fault:
        print(fault.sentence, file=sys.stderr)
        return 1
    if not given.heads:
        print("Sans --heads, une copie antérieure restaurée entière ne se verrait pas.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
