"""What is worked on together: much of what is small, little of what is large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar


class Sized(Protocol):
    """Something with a size in bytes."""

    @property
    def size(self) -> int: ...


_Sized = TypeVar("_Sized", bound=Sized)


def by_weight(items: Sequence[_Sized], most_bytes: int) -> Iterator[list[_Sized]]:
    """The items in their order, as many together as `most_bytes` hold; one alone may be larger."""
    some: list[_Sized] = []
    weight = 0
    for item in items:
        if some and weight + item.size > most_bytes:
            yield some
            some, weight = [], 0
        some.append(item)
        weight += item.size
    if some:
        yield some
