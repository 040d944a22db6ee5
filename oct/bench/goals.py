"""What the figures are held against: ratios within one run, the only thing that other machines share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oct.bench.floor import Cost
from oct.bench.measures import Measure, Mode, Stretch
from oct.bench.traffic import FOUR, LARGE

_WHOLE_GOALS = {Mode.EMBEDDED: 0.5, Mode.PRODUCTION: 0.3}
_DOOR_GOAL = 1.0
_LARGE_GOAL = 0.3
_CPU_GOAL = 2.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio and its goal: at least it, or at most it."""

    name: str
    value: float
    goal: float
    at_most: bool = False

    @property
    def held(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def of_mode(measures: Sequence[Measure]) -> list[Ratio]:
    """The ratios of one mode, from its measures and those of the plain server made just before them."""
    rates = {(one.mode, one.stretch, one.shape): one.rate for one in measures}
    plain = rates[Mode.PLAIN, Stretch.DOOR, FOUR.label]
    mode = next(one.mode for one in measures if one.mode is not Mode.PLAIN)
    door, large = (rates[mode, Stretch.DOOR, shape.label] for shape in (FOUR, LARGE))
    whole = rates[mode, Stretch.WHOLE, FOUR.label]
    return [
        Ratio(f"{mode} : porte / aiosmtpd seul", door / plain, _DOOR_GOAL),
        Ratio(f"{mode} : bout en bout / aiosmtpd seul", whole / plain, _WHOLE_GOALS[mode]),
        Ratio(f"{mode} : porte, messages de 262 Ko / petits", large / door, _LARGE_GOAL),
    ]


def of_cost(cost: Cost) -> Ratio:
    """What opening, splitting and sealing costs beside what no program can avoid."""
    return Ratio("ouvrir, répartir, sceller : CPU / cryptographie nue", cost.ratio, _CPU_GOAL, at_most=True)
