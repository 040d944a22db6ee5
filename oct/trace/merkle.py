"""Proofs that an event is in the log, and that a log began with an earlier one (RFC 9162 §2.1.3.1, §2.1.4.1).

The tree over millions of leaves is never held: the root of each tile of 256 leaves is, and a proof reads the one or two
tiles it needs. What a proof is checked with, and the growing tree, are in verify.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from oct.trace.verify import Tree, node_hash

TILE = 256
"""Leaves that are read together; a power of two."""
_TILES_KEPT = 64


def tile_roots(leaves: Iterable[bytes]) -> tuple[int, list[bytes]]:
    """How many leaves there are, and the roots of their whole tiles."""
    tile, tiles, size = Tree(), [], 0
    for leaf in leaves:
        tile.add(leaf)
        size += 1
        if tile.size == TILE:
            tiles.append(tile.root())
            tile = Tree()
    return size, tiles


class Growth:
    """A tree that grows, and the `tiles` that it completes meanwhile, with their places and roots: whoever adds the
    leaves need not have them hashed again."""

    def __init__(self, tree: Tree) -> None:
        whole, begun = divmod(tree.size, TILE)
        cut = len(tree.peaks) - begun.bit_count()
        self._whole, self._begun = Tree(whole, tree.peaks[:cut]), Tree(begun, tree.peaks[cut:])
        self.tiles: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """One leaf more."""
        self._begun.add(leaf)
        if self._begun.size == TILE:
            root = self._begun.root()
            self.tiles.append((self._whole.size, root))
            self._whole.add(root)
            self._begun = Tree()

    def tree(self) -> Tree:
        """The tree as it is by now."""
        return Tree(self._whole.size * TILE + self._begun.size, (*self._whole.peaks, *self._begun.peaks))


class Prover:
    """Proofs of a tree of fixed size, from the roots of its whole tiles (`tile_roots`). `read(first, end)` gives its
    leaves from `first` to before `end`."""

    def __init__(self, size: int, tiles: Sequence[bytes], read: Callable[[int, int], Sequence[bytes]]) -> None:
        self.size = size
        self._levels = _levels(tiles)
        self._tile = lru_cache(_TILES_KEPT)(lambda index: _levels(read(index * TILE, min((index + 1) * TILE, size))))

    def root(self) -> bytes:
        """The root, by which one knows whether the tiles are those of the tree that was signed."""
        return self._root(0, self.size) if self.size else Tree().root()

    def inclusion(self, seq: int, size: int | None = None) -> list[bytes]:
        """The path from the leaf at `seq` to the root of the first `size` leaves (all by default)."""
        return self._inclusion(seq, 0, self.size if size is None else size)

    def consistency(self, size: int, later: int) -> list[bytes]:
        """The path that shows that the first `later` leaves begin with the first `size`; empty for the same."""
        return self._consistency(size, 0, later, whole=True) if size < later else []

    def _inclusion(self, seq: int, first: int, end: int) -> list[bytes]:
        if end - first == 1:
            return []
        middle = first + _split(end - first)
        if seq < middle:
            return [*self._inclusion(seq, first, middle), self._root(middle, end)]
        return [*self._inclusion(seq, middle, end), self._root(first, middle)]

    def _consistency(self, size: int, first: int, end: int, *, whole: bool) -> list[bytes]:
        if size == end:
            return [] if whole else [self._root(first, end)]
        middle = first + _split(end - first)
        if size <= middle:
            return [*self._consistency(size, first, middle, whole=whole), self._root(middle, end)]
        return [*self._consistency(size, middle, end, whole=False), self._root(first, middle)]

    def _root(self, first: int, end: int) -> bytes:
        """The root of a range that the recursion of RFC 9162 meets: it begins at a multiple of its size rounded up."""
        count = end - first
        if count & (count - 1) == 0:
            if count >= TILE:
                return self._levels[(count // TILE).bit_length() - 1][first // count]
            tile, place = divmod(first, TILE)
            return self._tile(tile)[count.bit_length() - 1][place // count]
        middle = first + _split(count)
        return node_hash(self._root(first, middle), self._root(middle, end))


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _levels(nodes: Sequence[bytes]) -> list[list[bytes]]:
    """The perfect subtrees above nodes: all of one height in each list, the lowest first."""
    levels = [list(nodes)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return levels
