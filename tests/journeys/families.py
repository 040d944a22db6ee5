"""The processes of this machine that descend from a program's, as the kernel knows them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tests.journeys.waiting import until
from tests.journeys.world import World


def openers(world: World) -> list[int]:
    """The processes that open messages, once there are some: the children of the one that they are copied from."""
    found: list[int] = []

    def there() -> bool:
        first = descendants(world.process.pid)
        found[:] = [pid for pid in first if _parents().get(pid) in first]
        return found != []

    until("openers run", there)
    return found


def descendants(pid: int) -> list[int]:
    """All processes under one."""
    children = defaultdict[int, list[int]](list)
    for child, parent in _parents().items():
        children[parent].append(child)
    found, waiting = list[int](), [pid]
    while waiting:
        found += children[waiting[-1]]
        waiting += children[waiting.pop()]
    return found


def ends(family: list[int]) -> None:
    """Waits until nobody of these is left."""
    until("nobody is left", lambda: _parents().keys().isdisjoint(family))


def _parents() -> dict[int, int]:
    """Who is whose child, of those that live."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            found[int(stat.parent.name)] = int(parent)
    return found
