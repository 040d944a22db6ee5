"""The tree: RFC 9162's hashes, and proofs that hold for what is true and for nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.trace.merkle import TILE, Growth, Prover, tile_roots
from oct.trace.verify import Tree, is_consistent, is_included, leaf_hash

ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The vectors of the Certificate Transparency reference implementation."""
MANY = [leaf_hash(str(number).encode()) for number in range(3 * TILE + 77)]


def roots_of(leaves: list[bytes]) -> list[bytes]:
    """The root at each size, from 0."""
    tree = Tree()
    return [tree.root(), *(tree.add(leaf) or tree.root() for leaf in leaves)]  # type: ignore[func-returns-value]


MANY_ROOTS = roots_of(MANY)
PROVER = Prover(*tile_roots(MANY), lambda first, end: MANY[first:end])


def test_the_roots_are_those_of_the_published_vectors() -> None:
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES]
    assert [root.hex() for root in roots_of(leaves)] == ROOTS


def test_a_tree_goes_on_from_its_peaks() -> None:
    half = Tree()
    for leaf in MANY[:300]:
        half.add(leaf)
    again = Tree(half.size, half.peaks)
    for leaf in MANY[300:]:
        again.add(leaf)
    assert (again.size, again.root()) == (len(MANY), MANY_ROOTS[-1])


@given(st.integers(0, len(MANY)), st.integers(0, len(MANY)))
def test_what_grows_gives_the_tree_and_the_tiles_that_it_completes(one: int, other: int) -> None:
    begin, end = sorted((one, other))
    begun = Growth(Tree())
    for leaf in MANY[:begin]:
        begun.add(leaf)
    growth = Growth(begun.tree())
    for leaf in MANY[begin:end]:
        growth.add(leaf)
    assert (growth.tree().size, growth.tree().root()) == (end, MANY_ROOTS[end])
    _, whole = tile_roots(MANY[:end])
    assert [*begun.tiles, *growth.tiles] == list(enumerate(whole))


@given(st.integers(1, len(MANY)), st.data())
def test_every_leaf_proves_its_place_and_no_other(size: int, data: st.DataObject) -> None:
    seq = data.draw(st.integers(0, size - 1))
    path = PROVER.inclusion(seq, size)
    assert is_included(MANY[seq], seq, size, MANY_ROOTS[size], path)
    other = data.draw(st.integers(-1, size))
    if other != seq:
        assert not is_included(MANY[seq], other, size, MANY_ROOTS[size], path)
    if other % size != seq:
        assert not is_included(MANY[other % size], seq, size, MANY_ROOTS[size], path)
    assert not is_included(MANY[seq], seq, size, MANY_ROOTS[size], [*path, MANY[0]])
    assert not path or not is_included(MANY[seq], seq, size, MANY_ROOTS[size], path[:-1])


@given(st.integers(1, len(MANY)), st.data())
def test_a_log_proves_that_it_began_with_its_past_and_with_no_other(later: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, later))
    path = PROVER.consistency(size, later)
    assert is_consistent(size, MANY_ROOTS[size], later, MANY_ROOTS[later], path)
    assert not is_consistent(size, MANY_ROOTS[size - 1], later, MANY_ROOTS[later], path)
    assert not is_consistent(size, MANY_ROOTS[size], later, MANY_ROOTS[later - 1], path)
    assert not is_consistent(size, MANY_ROOTS[size], later, MANY_ROOTS[later], [*path, MANY[0]])
    assert not path or not is_consistent(size, MANY_ROOTS[size], later, MANY_ROOTS[later], path[:-1])


@pytest.mark.parametrize("size", [0, -1, 9])
def test_a_size_that_cannot_be_proves_nothing(size: int) -> None:
    assert not is_consistent(size, MANY_ROOTS[0], 8, MANY_ROOTS[8], [])


def test_the_number_of_peaks_stays_the_number_of_ones() -> None:
    """O(log n) state."""
    tree = Tree()
    for leaf in MANY:
        tree.add(leaf)
        assert len(tree.peaks) == tree.size.bit_count()
