"""One whole run: every mode, the cost of bare cryptography, and the ratios that come of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from oct.bench.floor import Cost, cost
from oct.bench.goals import Ratio, of_cost, of_mode
from oct.bench.measures import Bench, Effort, Measure
from oct.store.scratch import scratch_database


@dataclass(frozen=True, slots=True)
class Results:
    """All that was measured."""

    measures: tuple[Measure, ...]
    cost: Cost
    ratios: tuple[Ratio, ...]

    @property
    def missing(self) -> int:
        """Messages that were not taken and files that did not arrive: 0 or the run is worth nothing."""
        return sum(one.missing for one in self.measures)


def run(directory: Path, effort: Effort, store: str, queue: str, tell: Callable[[Measure], None]) -> Results:
    """Measures the embedded mode, and production mode when `store` and `queue` are not empty; `tell` is handed each
    measure when it is made. ConfigurationError when something cannot be started."""
    measures: list[Measure] = []
    ratios: list[Ratio] = []

    def measure(mode: Iterable[Measure]) -> None:
        made = []
        for one in mode:
            made.append(one)
            tell(one)
        measures.extend(made)
        ratios.extend(of_mode(made))

    with ExitStack() as stack:
        bench = stack.enter_context(Bench(directory, effort))
        measure(bench.embedded())
        if store:
            measure(bench.production(stack.enter_context(scratch_database(store)), queue))
    bare = cost(effort.rounds)
    return Results(tuple(measures), bare, (*ratios, of_cost(bare)))
