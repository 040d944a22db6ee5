"""What is worked on together."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from oct.steps.work.batches import by_weight


@dataclass(frozen=True)
class Item:
    size: int


@given(st.lists(st.integers(0, 30).map(Item)), st.integers(1, 40))
def test_all_come_once_in_their_order_and_only_one_alone_is_too_large(items: list[Item], most: int) -> None:
    groups = list(by_weight(items, most))
    assert [item for group in groups for item in group] == items
    assert all(group and (len(group) == 1 or sum(item.size for item in group) <= most) for group in groups)
