"""H10: whatever bytes a bundle holds, the verifier gives its answer or the declared error; and never a wrong yes."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.trace.bundle import Chosen, Log, write_bundle
from oct.trace.canonical import canonical
from oct.trace.heads import create_key, load_signer
from oct.trace.merkle import Prover, tile_roots
from oct.trace.verify import ProofError, PublicKeys, Tree, check_bundle, leaf_hash, read_head, read_public_keys

PARTS = (
    "lot.json",
    "evenements.jsonl",
    "evenements.csv",
    "tetes.jsonl",
    "empreintes.bin",
    "preuves.jsonl",
    "acces.jsonl",
    "jetons/9.tete",
    "jetons/9.tsr",
)
DETAILS = [(4, "qui et quoi")]
READ = json.dumps({"detail": hashlib.sha256(b"qui et quoi").hexdigest()})
PROOF = frozenset(PARTS[1:])
"""What the heads vouch for; `lot.json` only says when and how much."""


class Bundles:
    """The whole of a small log, and a selection of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.keys: PublicKeys = read_public_keys([create_key(home, "a").read_bytes()])
        signer = load_signer(home)
        assert signer is not None
        tree, heads, leaves, lines = Tree(), [], [], []
        for seq in range(9):
            reading = seq == 4
            event = {"id": seq, "at": seq * 40_000_000, "kind": "consulte" if reading else "envoi",
                     "outcome": "remis", "data": READ if reading else '{"taille": 3}'}  # fmt: skip
            lines.append((seq, canonical(seq, event)))
            leaves.append(leaf_hash(lines[-1][1]))
            tree.add(leaves[-1])
            if seq % 3 == 2:
                heads.append(signer.sign(tree.size, seq * 40_000_000, tree.root()))
        token = hashlib.sha256(heads[-1].line()).digest()
        log = Log(
            heads,
            lambda first, end: iter(leaves[first:end]),
            lambda: Prover(*tile_roots(leaves), lambda first, end: leaves[first:end]),
            stamped={9},
            tokens=lambda sizes: ((size, token) for size in sizes),
        )
        write_bundle(home / "True.zip", log, Chosen(lines, DETAILS, whole=True), exported_at=10**12)
        write_bundle(home / "False.zip", log, Chosen(lines[2:7], DETAILS, whole=False), exported_at=10**12)

    def parts(self, *, whole: bool) -> dict[str, bytes]:
        with zipfile.ZipFile(self.home / f"{whole}.zip") as files:
            return {name: files.read(name) for name in files.namelist() if name in PARTS}

    def check(self, parts: dict[str, bytes]) -> str:
        path = self.home / "essai.zip"
        with zipfile.ZipFile(path, "w") as files:
            for name, content in parts.items():
                files.writestr(name, content)
        return check_bundle(path, self.keys)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    return Bundles(tmp_path_factory.mktemp("lots"))


@given(whole=st.booleans(), data=st.data())
def test_a_part_that_is_anything_is_refused(bundles: Bundles, whole: bool, data: st.DataObject) -> None:
    parts = bundles.parts(whole=whole)
    name = data.draw(st.sampled_from(sorted(parts)))
    purged = name == "acces.jsonl" and not whole  # its purges would not be in a selection
    parts[name] = data.draw(st.binary(min_size=purged, max_size=60))
    with pytest.raises(ProofError):
        bundles.check(parts)


@given(whole=st.booleans(), data=st.data())
def test_one_byte_that_changed_is_found(bundles: Bundles, whole: bool, data: st.DataObject) -> None:
    parts = bundles.parts(whole=whole)
    before = dict(parts)
    name = data.draw(st.sampled_from(sorted(PROOF & parts.keys())))
    at = data.draw(st.integers(0, len(parts[name]) - 1))
    parts[name] = parts[name][:at] + data.draw(st.binary(min_size=1, max_size=1)) + parts[name][at + 1 :]
    try:
        bundles.check(parts)
    except ProofError:
        assert parts != before
    else:
        assert _says_the_same(name, before[name], parts[name])


def _says_the_same(name: str, before: bytes, after: bytes) -> bool:
    """Heads and proofs are values, that case and blanks do not change."""
    return before == after or (
        name in {"tetes.jsonl", "preuves.jsonl", "acces.jsonl"} and before.lower().split() == after.lower().split()
    )


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_any_line_is_a_head_or_the_declared_error(line: bytes) -> None:
    with pytest.raises(ProofError):
        read_head(line)


@pytest.mark.parametrize(
    "fields", ['"size":0', '"size":true', '"size":1.0', '"at":-1', '"key":1', '"root":5', '"root":"zz"', '"at":1e400']
)
def test_a_head_of_impossible_values_is_refused(fields: str) -> None:
    good = '"at":1,"key":"ab","root":"00","signature":"00","size":1'
    name = fields.partition(":")[0]
    kept = ",".join(part for part in good.split(",") if not part.startswith(name))
    assert read_head(f"{{{good}}}".encode()).size == 1
    with pytest.raises(ProofError):
        read_head(f"{{{kept},{fields}}}".encode())
