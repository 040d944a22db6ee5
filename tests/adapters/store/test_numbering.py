"""Numbers that never repeat, whatever the clock and the restarts do."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from oct.store import numbering
from oct.store.engine import Store
from oct.store.numbering import Numbering, trace_number
from tests.adapters.store.arrivals import NOW

BACK = int(datetime(2026, 10, 25, 1, 0, tzinfo=UTC).timestamp() * 1000)
"""03:00 becomes 02:00 in Paris."""


def test_blocks_follow_each_other_without_gap_or_overlap(store: Store) -> None:
    assert [numbering.reserve(store, "x", count) for count in (3, 1, 2)] == [range(1, 4), range(4, 5), range(5, 7)]
    assert numbering.reserve(store, "y", 2) == range(1, 3)


def test_a_file_id_has_six_characters_and_goes_on_after_a_restart(store: Store) -> None:
    """L5: the rest of the block is lost with the process, never given again."""
    before = Numbering(store, lambda: NOW)
    first = [before.next_file_id() for _ in range(numbering.BLOCK + 1)]
    after = Numbering(store, lambda: NOW).next_file_id()
    assert first[:2] == ["000001", "000002"]
    assert {len(file_id) for file_id in first} == {6}
    assert len({*first, after}) == numbering.BLOCK + 2


def test_a_compostage_is_the_paris_second_and_five_digits(store: Store) -> None:
    numbers = Numbering(store, lambda: NOW)
    assert numbers.next_compostage(NOW) == "2026092116132000001"
    assert numbers.next_compostage(NOW) == "2026092116132000002"


def test_compostages_grow_while_the_clock_goes_back_and_the_counter_comes_round(store: Store) -> None:
    numbering.reserve(store, "sequence", 99_900)
    numbers = Numbering(store, lambda: NOW)
    drawn = [numbers.next_compostage(NOW - 3_000 * (n % 2)) for n in range(300)]
    assert drawn == sorted(set(drawn))
    assert drawn[99][14:] == "00000"


def test_compostages_grow_through_the_hour_that_comes_twice(store: Store) -> None:
    """Summer time ends: another process that starts within the second 02:30 does not stamp the first one again."""
    numbers = Numbering(store, lambda: NOW)
    drawn = [numbers.next_compostage(BACK + minutes * 60_000) for minutes in (-60, -30, -1, 0, 30, 59, 60)]
    assert drawn == sorted(set(drawn))
    assert Numbering(store, lambda: NOW).next_compostage(BACK + 1_800_000).startswith("20261025025959")


def test_a_block_is_thrown_away_before_another_process_can_come_round(store: Store) -> None:
    clock = [NOW]
    numbers = Numbering(store, lambda: clock[0])
    assert numbers.next_sequence() == 1
    clock[0] += numbering.BLOCK_LIFE_MS
    assert numbers.next_sequence() == 1 + numbering.BLOCK


def test_a_block_that_was_used_up_in_its_time_is_followed_by_one_twice_as_large(store: Store) -> None:
    """And one that was thrown away by a small one: who seals little wastes little."""
    clock = [NOW]
    busy = Numbering(store, lambda: clock[0])
    drawn = [busy.next_sequence() for _ in range(numbering.BLOCK + 1)]
    assert drawn == list(range(1, numbering.BLOCK + 2))
    assert Numbering(store, lambda: NOW).next_sequence() == 1 + 3 * numbering.BLOCK
    clock[0] += numbering.BLOCK_LIFE_MS
    assert busy.next_sequence() == 1 + 4 * numbering.BLOCK
    assert Numbering(store, lambda: NOW).next_sequence() == 1 + 5 * numbering.BLOCK


def test_lot_numbers_run_from_001_to_999_for_each_ps_and_amc(store: Store) -> None:
    numbers = Numbering(store, lambda: NOW)
    assert [numbers.next_lot_number("991234567", "75000001") for _ in range(2)] == ["999", "998"]
    assert numbers.next_lot_number("991234567", "75000002") == "999"
    numbering.reserve(store, "lot:991234567:75000001", 996)
    assert [numbers.next_lot_number("991234567", "75000001") for _ in range(2)] == ["001", "999"]


@given(st.integers(NOW, NOW + 10**11), st.binary(min_size=5, max_size=5))
def test_a_trace_number_is_two_words_that_can_be_read_aloud(now: int, chance: bytes) -> None:
    """No I, L, O or U; the first word is the second, so traces sort by time."""
    trace = trace_number(now, lambda length: chance[:length])
    assert len(trace) == 15
    assert trace[6] == "-"
    assert set(trace) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ-")
    assert trace_number(now + 1_000, lambda length: chance[:length]) > trace


def test_chance_is_asked_for_forty_bits() -> None:
    asked: list[int] = []

    def chance(length: int) -> bytes:
        asked.append(length)
        return b"\xff" * length

    assert trace_number(NOW, chance).endswith("-ZZZZZZZZ")
    assert asked == [5]
