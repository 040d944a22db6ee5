"""The journal over the events: which are not sealed yet, the leaves and heads of the tree (J2).

Sealing gives each committed event its place (`seq`) without holes, in order of id within each run, and it must miss
none. On SQLite writers take turns, so ids are committed in their order and whatever is above the last sealed id is to
be sealed. On PostgreSQL a transaction may commit a smaller id later than its neighbours commit theirs, so each look
seals every visible event without a leaf above a *mark*: an id up to which all are sealed and none can appear any more.

Whoever holds an unseen id below M, the largest id that a snapshot shows, took its transaction id before that id (a
trigger of `events` sees to it), hence before M was committed, hence before X, a transaction id that is given after that
snapshot. Once all transactions before X have ended (`pg_snapshot_xmin`), a look that begins then and goes from the old
mark to the end finds whatever they committed, and M becomes the mark. On a quiet server that is the very look that saw
M, else a later one. Nobody waits: a transaction that stays open only keeps the mark back.

A look is a transaction that only reads, so that who writes need not wait while leaves are made. They are written when
it is found, in the transaction that writes them, that nobody else has sealed since (`take_turn`).

The mark is a counter, moved in the transaction that writes the leaves below it. So neither a crash nor a dump restored
into another cluster can part the two, and a process that starts looks from the mark on, whatever the log's length. M
and X live in memory: they mean nothing to another cluster. A look goes by steps of so many ids that no statement takes
long, the first one too, after the update to a version that keeps a mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    exists,
    func,
    select,
    text,
    true,
    update,
)

from oct.store import counters
from oct.store.conflicts import inserting
from oct.store.log_lines import FIELDS
from oct.store.rows import columns, insert_rows, insert_tuples, values
from oct.store.tables import (
    event_leaves,
    events,
    messages,
    tree_heads,
    tree_state,
    tree_tiles,
)
from oct.trace.merkle import TILE, tile_roots
from oct.trace.verify import LEAF, Tree, TreeHead

_PAGE = 5000
_STEP = 50_000
"""Events that one statement looks at: some 40 ms."""
_MARK = "journal:scelle"
"""The counter of the id up to which all events are sealed and none can appear any more (PostgreSQL)."""
_RECENT = 50_000
"""How far below the newest sealed event one without a leaf is looked for: more than is written while a head is made."""
_NAMES = tuple(field.name for field in FIELDS)
_LEAF = ("seq", "event_id", "leaf")
_TREE = select(tree_state.c.size, tree_state.c.peaks)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the log is sealed: the size and the peaks of the tree, and the mark."""

    size: int
    peaks: bytes
    mark: int

    def tree(self) -> Tree:
        """The tree, to grow."""
        return Tree(self.size, (self.peaks[at : at + LEAF] for at in range(0, len(self.peaks), LEAF)))


@dataclass(frozen=True, slots=True)
class Horizon:
    """What who seals remembers from turn to turn. None of the ids up to `seen` can appear any more once all
    transactions before `xid` have ended. A look is under way when `reached` is set: it came so far, and what it has
    passed of the ids up to `sure` is all there will be."""

    seen: int = 0
    xid: int = 0
    reached: int | None = None
    sure: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """The oldest events without a leaf, as fields of canonical lines, and the standing that they were found at; where
    to look next; the mark once they have their leaves; whether there may be more."""

    standing: Standing
    found: list[dict[str, Any]]
    horizon: Horizon
    mark: int
    more: bool


# Sealing -----------------------------------------------------------------------------------------------------


def unsealed(conn: Connection, horizon: Horizon, limit: int) -> Look:
    """The oldest events without a leaf, at most `limit`, of those that this look comes to; to be asked first of all in
    a transaction that only reads."""
    here = _standing(conn, _TREE)
    if conn.dialect.name == "sqlite":
        last = conn.execute(select(func.max(event_leaves.c.event_id))).scalar() or 0
        found = _without_leaf(conn, last, None, limit)
        return Look(here, found, horizon, here.mark, more=len(found) == limit)
    onward = horizon if horizon.reached is not None else _begun(conn, here.mark, horizon)
    above = onward.reached or 0
    upto = _end_of_step(conn, above)
    found = _without_leaf(conn, above, upto, limit)
    reached = found[-1]["id"] if len(found) == limit else upto
    mark = onward.sure if reached is None else min(onward.sure, reached)
    return Look(here, found, replace(onward, reached=reached), max(mark, here.mark), more=reached is not None)


def take_turn(conn: Connection, standing: Standing) -> bool:
    """Whether the log is sealed as far as it was, and stays so until the transaction ends: who else seals waits."""
    return _standing(conn, _TREE.with_for_update()) == standing


def _standing(conn: Connection, tree: Select[tuple[int, bytes]]) -> Standing:
    row = conn.execute(tree).one()
    return Standing(row.size, row.peaks, counters.value(conn, _MARK))


def _begun(conn: Connection, mark: int, horizon: Horizon) -> Horizon:
    """A look that begins at the mark."""
    newest = conn.execute(select(func.max(events.c.id))).scalar() or 0
    asked = text("SELECT pg_current_xact_id()::text AS own, pg_snapshot_xmin(pg_current_snapshot())::text AS ended")
    row = conn.execute(asked).one()
    own, ended = int(row.own), int(row.ended)
    if ended >= own:
        return Horizon(newest, own, reached=mark, sure=newest)
    if ended >= horizon.xid:
        return Horizon(newest, own, reached=mark, sure=horizon.seen)
    return replace(horizon, reached=mark, sure=mark)


def _without_leaf(conn: Connection, above: int, upto: int | None, limit: int) -> list[dict[str, Any]]:
    chosen = select(*FIELDS).select_from(events.outerjoin(messages)).where(_leafless(above, upto))
    rows = conn.execute(chosen.order_by(events.c.id).limit(limit)).all()
    return [dict(zip(_NAMES, row, strict=True)) for row in rows]


def _leafless(above: int, upto: int | None) -> ColumnElement[bool]:
    """Of events above an id, up to another (None: to the end): that they have no leaf. The bounds are said of the
    leaves too, or all of them would be read."""
    of_events, of_leaves = (
        (of > above) & (true() if upto is None else of <= upto) for of in (events.c.id, event_leaves.c.event_id)
    )
    return of_events & ~exists().where(event_leaves.c.event_id == events.c.id, of_leaves)


def _end_of_step(conn: Connection, above: int) -> int | None:
    """The id up to which one statement looks from another on; None: to the end of the log."""
    step = select(events.c.id).where(events.c.id > above).order_by(events.c.id).offset(_STEP).limit(1)
    return conn.execute(step).scalar()


def _steps(conn: Connection) -> Iterator[ColumnElement[bool]]:
    """The events without a leaf of the whole log, as conditions for one statement after the other."""
    upto: int | None = 0
    while upto is not None:
        above, upto = upto, _end_of_step(conn, upto)
        yield _leafless(above, upto)


def tiles_to_keep(conn: Connection, limit: int) -> list[tuple[int, bytes]]:
    """Whole tiles that are not kept yet, with their roots, at most `limit`: what a proof would have to hash again."""
    known = _tiles_kept(conn)
    some = min(sealed_count(conn) // TILE - known, limit)
    _, roots = tile_roots(leaves(conn, known * TILE, (known + some) * TILE))
    return list(enumerate(roots, known))


def keep_tiles(conn: Connection, tiles: Sequence[tuple[int, bytes]]) -> None:
    """Keeps the roots of tiles, unless somebody has meanwhile."""
    rows = [{"tile": tile, "root": root} for tile, root in tiles]
    conn.execute(inserting(conn, tree_tiles).on_conflict_do_nothing(), rows)


def keep_completed(conn: Connection, tiles: Sequence[tuple[int, bytes]]) -> None:
    """The same for those that the newest leaves completed, unless there are older ones to keep first."""
    if tiles and tiles[0][0] == _tiles_kept(conn):
        keep_tiles(conn, tiles)


def keep(conn: Connection, leaves: Sequence[tuple[int, int, bytes]], tree: Tree, head: TreeHead) -> None:
    """Writes leaves (seq, event id, hash), the tree they lead to and its head."""
    insert_tuples(conn, event_leaves, _LEAF, leaves)
    insert_rows(conn, tree_heads, [values(head)])
    conn.execute(update(tree_state).values(size=tree.size, peaks=b"".join(tree.peaks)))


def move_mark(conn: Connection, look: Look) -> None:
    """Moves the mark on, in the transaction that writes the leaves up to it."""
    if look.mark > look.standing.mark:
        counters.advance(conn, _MARK, look.mark - look.standing.mark)


# Reading -----------------------------------------------------------------------------------------------------


def last_head(conn: Connection) -> TreeHead | None:
    """The newest head."""
    newest = select(func.max(tree_heads.c.size)).scalar_subquery()
    row = conn.execute(_heads().where(tree_heads.c.size == newest)).one_or_none()
    return None if row is None else TreeHead(*row)


def heads(conn: Connection, after: int = -1, limit: int | None = None) -> list[TreeHead]:
    """The heads signed after an instant (ms), by size, which is in the order of their instants."""
    statement = _heads().where(tree_heads.c.at > after).order_by(tree_heads.c.at).limit(limit)
    return [TreeHead(*row) for row in conn.execute(statement)]


def _heads() -> Select[Any]:
    return select(*columns(tree_heads, TreeHead))


def head_of(conn: Connection, size: int) -> TreeHead | None:
    """The head of a tree of this size."""
    row = conn.execute(_heads().where(tree_heads.c.size == size)).one_or_none()
    return None if row is None else TreeHead(*row)


def tiles(conn: Connection, count: int) -> list[bytes]:
    """The roots of the first `count` tiles; those that are not kept yet are made of their leaves."""
    kept = conn.execute(select(tree_tiles.c.root).where(tree_tiles.c.tile < count).order_by(tree_tiles.c.tile))
    roots = list(kept.scalars())
    return [*roots, *tile_roots(leaves(conn, len(roots) * TILE, count * TILE))[1]]


def _tiles_kept(conn: Connection) -> int:
    last: int | None = conn.execute(select(func.max(tree_tiles.c.tile))).scalar()
    return 0 if last is None else last + 1


def leaves(conn: Connection, first: int, end: int) -> Iterator[bytes]:
    """The leaves from `first` to before `end`, in order."""
    while first < end:
        upto = min(first + _PAGE, end)
        here = (event_leaves.c.seq >= first) & (event_leaves.c.seq < upto)
        yield from conn.execute(select(event_leaves.c.leaf).where(here).order_by(event_leaves.c.seq)).scalars().all()
        first = upto


def sealed_count(conn: Connection) -> int:
    """One more than the last place of the log."""
    last = conn.execute(select(func.max(event_leaves.c.seq))).scalar()
    return 0 if last is None else last + 1


def unsealed_count(conn: Connection) -> int:
    """How many events have no leaf yet."""
    return sum(conn.execute(select(func.count(events.c.id)).where(some)).scalar_one() for some in _steps(conn))


def unproven_since(conn: Connection, size: int) -> int | None:
    """When the oldest event that is not in the tree of `size` was written (ms); None when all are.

    Costs the same whatever the log's length: what hides far below the newest is for `verify_live` to find.
    """
    if (at := written_at(conn, size)) is not None:
        return at
    newest = conn.execute(select(func.max(event_leaves.c.event_id))).scalar() or 0
    return conn.execute(select(func.min(events.c.at)).where(_leafless(newest - _RECENT, None))).scalar()


def written_at(conn: Connection, seq: int) -> int | None:
    """When the event at a place of the tree was written (ms); None when no event has that place yet."""
    at = select(events.c.at).join(event_leaves, event_leaves.c.event_id == events.c.id)
    return conn.execute(at.where(event_leaves.c.seq == seq)).scalar()


def first_unsealed(conn: Connection, before: int) -> int | None:
    """The id of the first event written before an instant (ms) that has no leaf."""
    found = (
        conn.execute(select(func.min(events.c.id)).where(some, events.c.at < before)).scalar() for some in _steps(conn)
    )
    return next((event_id for event_id in found if event_id is not None), None)
