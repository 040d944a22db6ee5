"""What the figures are held against: ratios within one run, the only thing that other machines share. Each is the
middle one of several, of measures that were made one right after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from oct.bench.floor import Cost
from oct.bench.measures import Measure, Mode, Stretch
from oct.bench.traffic import FOUR, LARGE

_WHOLE_GOALS = {Mode.EMBEDDED: 0.5, Mode.PRODUCTION: 0.3}
_DOOR_GOAL = 1.0
_LARGE_GOAL = 0.3
_CPU_GOAL = 2.0
_Kind = tuple[Mode, Stretch, str]


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
    """The ratios of one mode, from its measures and those of the plain server, in the order in which they were made."""
    mode = next(one.mode for one in measures if one.mode is not Mode.PLAIN)
    plain, door = (Mode.PLAIN, Stretch.DOOR, FOUR.label), (mode, Stretch.DOOR, FOUR.label)
    whole, large = (mode, Stretch.WHOLE, FOUR.label), (mode, Stretch.DOOR, LARGE.label)
    return [
        Ratio(f"{mode} : porte / aiosmtpd seul", _middle(measures, door, plain), _DOOR_GOAL),
        Ratio(f"{mode} : bout en bout / aiosmtpd seul", _middle(measures, whole, plain), _WHOLE_GOALS[mode]),
        Ratio(f"{mode} : porte, messages de 262 Ko / petits", _middle(measures, large, door), _LARGE_GOAL),
    ]


def _middle(measures: Sequence[Measure], one: _Kind, other: _Kind) -> float:
    """The median of the rates of one kind, each by that of the measure of another kind that came last before it."""
    before, ratios = 0.0, list[float]()
    for measure in measures:
        kind = measure.mode, measure.stretch, measure.shape
        if kind == other:
            before = measure.rate
        elif kind == one:
            ratios.append(measure.rate / before)
    return median(ratios)


def of_cost(cost: Cost) -> Ratio:
    """What opening, splitting and sealing costs beside what no program can avoid."""
    return Ratio("ouvrir, répartir, sceller : CPU / cryptographie nue", cost.ratio, _CPU_GOAL, at_most=True)
