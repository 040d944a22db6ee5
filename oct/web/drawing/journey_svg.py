"""Draws a journey: the trunk at the left, a branch a line, an arrow between each two steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oct.web.drawing.journey import Journey, Step, spoken
from oct.web.drawing.svg import drawing, element, words

BOX, LINE, GAP = 214, 17, 34
_PAD, _MARGIN, _BETWEEN = 9, 8, 14
_LETTERS, _BOLD = 30, 25
"""What fits into a box, in letters of the lines and of the title."""


def journey_svg(journey: Journey) -> str:
    """The drawing, with all of it in words for who cannot see it."""
    heights = [max(map(_height, branch)) for branch in journey.branches]
    tall = max([*map(_height, journey.trunk), sum(heights) + _BETWEEN * (len(heights) - 1)])
    widest = len(journey.trunk) + max((len(branch) for branch in journey.branches), default=0)
    return drawing(
        2 * _MARGIN + widest * BOX + (widest - 1) * GAP,
        2 * _MARGIN + tall,
        f"Parcours du message {journey.trace}",
        journey.said(),
        _inside(journey, heights),
        "journey",
    )


def _inside(journey: Journey, heights: Sequence[int]) -> Iterator[str]:
    trunk = max(map(_height, journey.trunk))
    yield from _row(journey.trunk, 0, _MARGIN, trunk)
    stem, begin = len(journey.trunk), _MARGIN
    middle = _MARGIN + trunk // 2
    for branch, height in zip(journey.branches, heights, strict=True):
        yield _bend(stem, middle, begin + height // 2)
        yield from _row(branch, stem, begin, height)
        begin += height + _BETWEEN


def _row(steps: Sequence[Step], column: int, top: int, height: int) -> Iterator[str]:
    for rank, step in enumerate(steps):
        if rank:
            yield _bend(column + rank, top + height // 2, top + height // 2)
        yield _box(step, _left(column + rank), top, height)


def _box(step: Step, left: int, top: int, height: int) -> str:
    texts = [element("text", words(step.title, _BOLD), x=left + _PAD, y=top + LINE + 2, class_="title")]
    texts += [
        element("text", words(line, _LETTERS), x=left + _PAD, y=top + LINE * (rank + 2) + 2)
        for rank, line in enumerate(_lines(step))
    ]
    return element(
        "g",
        [
            element("title", words(step.said())),
            element("rect", x=left, y=top, width=BOX, height=height, rx=5),
            *texts,
        ],
        class_=f"step {step.tone}",
    )


def _bend(column: int, start: int, end: int) -> str:
    """The arrow that leads into a column."""
    right = _left(column) - 2
    left = right - GAP + 4
    middle = (left + right) // 2
    path = f"M{left} {start}H{middle}V{end}H{right}m-6 -4l6 4l-6 4"
    return element("path", d=path, class_="way")


def _left(column: int) -> int:
    return _MARGIN + column * (BOX + GAP)


def _lines(step: Step) -> list[str]:
    when = [spoken(step.at)] if step.at is not None else []
    return [line for line in step.lines if line] + when


def _height(step: Step) -> int:
    return LINE * (len(_lines(step)) + 1) + _PAD + 4
