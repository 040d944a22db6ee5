"""A15, L1, L2, L5: whatever messages come within a window, the files that leave hold their lots, in their order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oct.domain.grouping import MOST_BYTES, bunches, check_group, gathering_key, group
from oct.errors import ConservationError
from oct.formats.b2 import MAX_LOTS, read_file
from tests.claims import LAYOUTS, Act, Batch, Claim, claim_file, put, records_of

acts = st.lists(st.builds(Act, st.integers(1750, 9000)), min_size=1, max_size=3)
claims = st.builds(Claim, st.integers(1, 99), acts=acts)
batches = st.builds(Batch, st.lists(claims, min_size=1, max_size=3), st.integers(0, 999))
messages = st.lists(st.lists(batches, min_size=1, max_size=4), min_size=1, max_size=5)


@dataclass(frozen=True)
class Waiting:
    """A file that waits, as the bunches see it."""

    rank: int
    lot_count: int
    size: int


def files_of(window: list[list[Batch]]) -> list[bytes]:
    """What was built of each message."""
    return [claim_file(*lots, file_id=f"{rank:06d}") for rank, lots in enumerate(window)]


def digests_of(window: list[list[Batch]]) -> list[bytes]:
    return [hashlib.sha256(lot.content()).digest() for lots in window for lot in lots]


@settings(max_examples=50)
@given(messages)
def test_the_one_file_holds_the_lots_of_all_in_order(window: list[list[Batch]]) -> None:
    files = files_of(window)
    made = group(files, file_id="C00009", today="261121", layouts=LAYOUTS)
    again = read_file(made.content, LAYOUTS)
    assert [again.content(lot) for lot in again.lots] == [lot.content() for lots in window for lot in lots]
    assert (again.file_id, made.invoice_count) == ("C00009", again.invoice_count)
    assert records_of(made.content)[0] == put(put(records_of(files[0])[0], 50, "C00009"), 56, "261121")
    check_group(made.content, files, digests_of(window), LAYOUTS)


@settings(max_examples=50)
@given(messages, st.data())
def test_the_check_finds_a_lot_that_is_missing_doubled_moved_or_altered(
    window: list[list[Batch]], data: st.DataObject
) -> None:
    """L1: nothing else is in the file than what was written down at its arrival."""
    files, digests = files_of(window), digests_of(window)
    made = group(files, file_id="C00009", today="261121", layouts=LAYOUTS).content
    at = data.draw(st.integers(128, len(made) - 129))
    harms = [
        (made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :], digests),
        (group([*files, files[0]], file_id="C00009", today="261121", layouts=LAYOUTS).content, digests),
        (made, digests[1:]),
        (made, [*digests[1:], digests[0]] if digests[1:] != digests[:-1] else digests[1:]),
    ]
    content, expected = data.draw(st.sampled_from(harms))
    with pytest.raises(ConservationError):
        check_group(content, files, expected, LAYOUTS)


@given(st.lists(st.tuples(st.integers(1, MAX_LOTS), st.integers(1, 2 * MOST_BYTES)), max_size=30))
def test_bunches_keep_every_file_and_their_order_and_hold_what_a_file_may(sizes: list[tuple[int, int]]) -> None:
    """L5: 999 lots at most, and not too large unless one alone is."""
    waiting = [Waiting(rank, lots, size) for rank, (lots, size) in enumerate(sizes)]
    made = list(bunches(waiting))
    assert [one for bunch in made for one in bunch] == waiting
    for bunch in made:
        assert sum(one.lot_count for one in bunch) <= MAX_LOTS
        assert len(bunch) == 1 or sum(one.size for one in bunch) <= MOST_BYTES


def test_only_what_differs_in_no_more_than_id_and_dates_has_one_key() -> None:
    """A15, C6: and an insurer, a version, the AMC flow each have their own."""
    content = claim_file(Batch())
    key = gathering_key(content, 1, "140700", derived=False, layouts=LAYOUTS)
    same = put(put(content, 50, "Z99999"), 56, "270101")
    assert gathering_key(same, 1, "140700", derived=False, layouts=LAYOUTS) == key
    others = [
        gathering_key(content, 2, "140700", derived=False, layouts=LAYOUTS),
        gathering_key(content, 1, "140800", derived=False, layouts=LAYOUTS),
        gathering_key(content, 1, "140700", derived=True, layouts=LAYOUTS),
        gathering_key(put(content, 62, "CP"), 1, "140700", derived=False, layouts=LAYOUTS),
        gathering_key(put(content, 6, "00000421234575"), 1, "140700", derived=False, layouts=LAYOUTS),
    ]
    assert len({key, *others}) == 6
