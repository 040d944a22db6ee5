"""T1: eight ways to change the past, each found in the database and in an export, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text, update

from oct.errors import StoreError
from oct.store import journal, log_lines
from oct.store.engine import Store
from oct.store.tables import event_leaves, events, tree_heads, tree_state
from oct.trace.canonical import canonical
from oct.trace.heads import Signer, create_key, load_signer
from oct.trace.verify import ProofError, Tree, leaf_hash
from tests.steps.journal_rig import TABLES, Journal, owning

SEALED = (10, 25, 30)
"""The sizes of the three heads."""


@pytest.fixture
def log(store: Store, tmp_path: Path) -> Journal:
    made = Journal(store, tmp_path)
    for earlier, later in zip((0, *SEALED), SEALED, strict=False):
        made.write(later - earlier)
        assert made.seal() == later - earlier
    return made


def event_id(conn: Connection, seq: int) -> int:
    found: int = conn.execute(select(event_leaves.c.event_id).where(event_leaves.c.seq == seq)).scalar_one()
    return found


def cut(conn: Connection, size: int, *, heads: bool) -> None:
    """Nothing is left from the event at `size` on."""
    gone = list(conn.execute(select(event_leaves.c.event_id).where(event_leaves.c.seq >= size)).scalars())
    conn.execute(event_leaves.delete().where(event_leaves.c.seq >= size))
    conn.execute(events.delete().where(events.c.id.in_(gone)))
    if heads:
        conn.execute(tree_heads.delete().where(tree_heads.c.size > size))


def recompute(log: Journal, signer: Signer) -> None:
    """The leaves, the tree and every head anew, from the events as they are now."""
    with owning(log.store) as conn:
        found = journal.heads(conn)
        conn.execute(tree_heads.delete())
        conn.execute(event_leaves.delete())
        conn.execute(update(tree_state).values(size=0, peaks=b""))
        tree = Tree()
        for head in found:
            rows = journal._without_leaf(conn, 0, None, head.size - tree.size)
            leaves = [(seq, row["id"], leaf_hash(canonical(seq, row))) for seq, row in enumerate(rows, tree.size)]
            for _, _, leaf in leaves:
                tree.add(leaf)
            if leaves:
                journal.keep(conn, leaves, tree, signer.sign(tree.size, head.at, tree.root()))


def test_a_log_that_nobody_touched_holds(log: Journal) -> None:
    assert log.live() == SEALED[-1]
    assert "30 événements, tout le journal" in log.check(log.bundle())
    assert [head.size for head in log.published()] == list(SEALED)


def test_an_event_changed_is_named(log: Journal) -> None:
    with owning(log.store) as conn:
        conn.execute(update(events).where(events.c.id == event_id(conn, 13)).values(outcome="refuse"))
    assert log.faults(published=False) == [13, 13]


def test_an_event_changed_with_its_leaf_is_placed_between_two_heads(log: Journal) -> None:
    """Its own hash says yes, the signed head says no: all that is known is after which head."""
    with owning(log.store) as conn:
        conn.execute(update(events).where(events.c.id == event_id(conn, 13)).values(outcome="refuse"))
        forge_leaves(conn, 13, 14)
    assert log.faults(published=False) == [10, 10]
    with pytest.raises(ProofError, match="entre les événements n° 10 et 24"):
        log.live()


def test_an_event_of_no_possible_instant_is_named(log: Journal) -> None:
    """An export shows it as it stands."""
    with owning(log.store) as conn:
        conn.execute(update(events).where(events.c.id == event_id(conn, 13)).values(at=2**62))
    assert log.faults(published=False) == [13, 13]


def test_an_event_deleted_is_named(log: Journal) -> None:
    with owning(log.store) as conn:
        gone = event_id(conn, 13)
        conn.execute(event_leaves.delete().where(event_leaves.c.seq == 13))
        conn.execute(events.delete().where(events.c.id == gone))
    assert log.faults(published=False) == [13, 13]


def add_at(log: Journal, conn: Connection, place: int, count: int) -> None:
    """Events with leaves and places of their own; all that follow are moved on, their leaves as they were."""
    for seq in range(SEALED[-1] - 1, place - 1, -1):
        conn.execute(update(event_leaves).where(event_leaves.c.seq == seq).values(seq=seq + count))
    for seq in range(place, place + count):
        row = {"at": log.now, "kind": "envoi", "outcome": "remis", "data": "{}", "actor": ""}
        new = conn.execute(insert(events).returning(events.c.id), row).scalar_one()
        conn.execute(insert(event_leaves), {"seq": seq, "event_id": new, "leaf": bytes(32)})
    forge_leaves(conn, place, place + count)


def forge_leaves(conn: Connection, first: int, end: int) -> None:
    """The leaves that the events at these places should have."""
    for seq, line in list(log_lines.lines(conn, end, first=first)):
        conn.execute(update(event_leaves).where(event_leaves.c.seq == seq).values(leaf=leaf_hash(line)))


@pytest.mark.parametrize("forged", [True, False])
@pytest.mark.parametrize(("place", "count"), [(13, 1), (10, 2), (24, 1), (0, 1)])
def test_events_inserted_are_named(log: Journal, place: int, count: int, forged: bool) -> None:
    """With the leaves of all that follow as they were, or forged too: without the events, the signed head comes out."""
    with owning(log.store) as conn:
        add_at(log, conn, place, count)
        if forged:
            forge_leaves(conn, place, SEALED[-1] + count)
    assert log.faults(published=False) == [place, place]
    with pytest.raises(ProofError, match=r"la tête de taille .* est celle des autres"):
        log.live()


def test_an_event_inserted_beside_one_changed_is_placed_between_two_heads(log: Journal) -> None:
    """No head proves anything more: what is named is the first that does not agree, and from where nothing is sure."""
    with owning(log.store) as conn:
        add_at(log, conn, 13, 1)
        conn.execute(update(events).where(events.c.id == event_id(conn, 11)).values(outcome="refuse"))
        forge_leaves(conn, 11, 12)
    with pytest.raises(ProofError, match="Les événements n° 10 à 13 ne sont prouvés par aucune tête") as caught:
        log.live()
    assert caught.value.seq == 14


def test_two_events_swapped_are_named(log: Journal) -> None:
    with owning(log.store) as conn:
        first, second = event_id(conn, 13), event_id(conn, 17)
        conn.execute(event_leaves.delete().where(event_leaves.c.seq.in_([13, 17])))
        conn.execute(insert(event_leaves), {"seq": 13, "event_id": second, "leaf": bytes(32)})
        conn.execute(insert(event_leaves), {"seq": 17, "event_id": first, "leaf": bytes(32)})
    assert log.faults(published=False) == [13, 13]


def test_an_event_moved_to_another_message_is_named(log: Journal) -> None:
    with owning(log.store) as conn:
        conn.execute(update(events).where(events.c.id == event_id(conn, 13)).values(message_id=log.messages[0]))
    assert log.faults(published=False) == [13, 13]


def test_messages_that_exchange_their_numbers_are_named(log: Journal) -> None:
    """Their events stay where they are, but tell of another message."""
    with owning(log.store) as conn:
        for number, trace in ((0, "XXXXXX-00000000"), (1, "AAAAAA-00000000"), (0, "AAAAAA-00000001")):
            conn.execute(
                text("UPDATE messages SET trace = :trace WHERE id = :id"), {"trace": trace, "id": log.messages[number]}
            )
    assert log.faults(published=False) == [0, 0]


def test_a_tail_cut_is_named(log: Journal) -> None:
    with owning(log.store) as conn:
        cut(conn, 27, heads=False)
    assert log.faults(published=False) == [27, 27]


def test_yesterdays_copy_is_found_by_what_was_published(log: Journal) -> None:
    """The copy is whole and signed: alone it holds."""
    with owning(log.store) as conn:
        cut(conn, 25, heads=True)
    assert log.faults(published=False) == []
    assert log.faults() == [25, 25]


def test_yesterdays_copy_that_grew_again_is_found(log: Journal) -> None:
    with owning(log.store) as conn:
        cut(conn, 25, heads=True)
        tree = Tree()
        for leaf in journal.leaves(conn, 0, 25):
            tree.add(leaf)
        conn.execute(update(tree_state).values(size=25, peaks=b"".join(tree.peaks)))
    log.write(10)
    log.sealer = log.another_sealer()
    assert log.seal() == 10
    assert log.faults() == [25, 25]


def test_a_log_computed_anew_with_the_stolen_key_is_found_by_what_was_published(log: Journal) -> None:
    with owning(log.store) as conn:
        conn.execute(update(events).where(events.c.id == event_id(conn, 13)).values(outcome="refuse"))
    recompute(log, log.signer())
    assert log.faults(published=False) == []
    assert log.faults() == [10, 10]


def test_a_log_computed_anew_with_another_key_is_found(log: Journal) -> None:
    """Alone, nothing of it is proven; with what was published, the change lies between two heads."""
    with owning(log.store) as conn:
        conn.execute(update(events).where(events.c.id == event_id(conn, 13)).values(outcome="refuse"))
    recompute(log, another_signer(log))
    assert log.faults(published=False) == [0, 0]
    assert log.faults() == [10, 10]
    for published, said in ((False, "n° 0 n'est sous aucune tête"), (True, "entre les événements n° 10 et 24")):
        with pytest.raises(ProofError, match=f"n'a pas été donnée.*{said}"):
            log.live(published=published)


def test_what_heads_of_another_key_alone_cover_is_named(log: Journal) -> None:
    """Nothing was changed but the last head: the events under it are proven only where heads were published."""
    with owning(log.store) as conn:
        last = journal.heads(conn)[-1]
        forged = another_signer(log).sign(last.size, last.at, last.root)
        conn.execute(
            update(tree_heads).where(tree_heads.c.size == last.size).values(key=forged.key, signature=forged.signature)
        )
    assert log.faults(published=False) == [25, 25]
    assert log.faults() == [None, None]


def another_signer(log: Journal) -> Signer:
    elsewhere = log.home / "autre"
    elsewhere.mkdir()
    create_key(elsewhere, "b")
    signer = load_signer(elsewhere)
    assert signer is not None
    return signer


def test_an_event_written_into_the_past_is_found(log: Journal) -> None:
    """It has no leaf, and is older than the heads."""
    with owning(log.store) as conn:
        conn.execute(insert(events), {"at": log.now - 3_600_000, "kind": "envoi", "outcome": "remis"})
    with pytest.raises(ProofError, match="ajouté après coup"):
        log.live()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("deed", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_the_past(log: Journal, table: str, deed: str) -> None:
    column = {"events": "at", "event_leaves": "seq", "tree_heads": "at"}[table]
    with pytest.raises(StoreError), log.store.begin() as conn:
        conn.execute(text(deed.format(table, column, column)))
    assert log.live() == SEALED[-1]
