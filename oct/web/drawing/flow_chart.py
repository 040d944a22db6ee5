"""A small chart of what came in: one column a period, claims below, what insurers sent above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from oct.web.drawing.svg import drawing, element, words

WIDTH, HEIGHT = 640, 150
_LEFT, _BOTTOM, _TOP = 44, 26, 8


def flow_chart(
    title: str, series: Mapping[str, Mapping[int, int]], periods: Sequence[int], label: Callable[[int], str], kind: str
) -> str:
    """The counts of each series (its name, as people read it) in each period, whose `label` stands below.

    `kind` tells the charts of one page apart.
    """
    totals = [sum(counts.get(period, 0) for counts in series.values()) for period in periods]
    summed = {name: sum(counts.get(period, 0) for period in periods) for name, counts in series.items()}
    said = " ; ".join(f"{name} : {count}" for name, count in summed.items()) or "rien"
    return drawing(
        WIDTH, HEIGHT, title, f"{said}.", _inside(series, periods, label, max([1, *totals])), f"chart-{kind}"
    )


def _inside(
    series: Mapping[str, Mapping[int, int]], periods: Sequence[int], label: Callable[[int], str], most: int
) -> Iterator[str]:
    floor, room = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    yield element("path", d=f"M{_LEFT} {_TOP}V{floor}H{WIDTH}", class_="axis")
    yield element("text", words(str(most)), x=_LEFT - 6, y=_TOP + 10, class_="end")
    yield element("text", "0", x=_LEFT - 6, y=floor, class_="end")
    step = (WIDTH - _LEFT) / max(1, len(periods))
    every = max(1, round(len(periods) / 8))
    for rank, period in enumerate(periods):
        left, base = _LEFT + rank * step, floor
        for turn, (name, counts) in enumerate(series.items()):
            tall = round(room * counts.get(period, 0) / most)
            if tall:
                base -= tall
                told = element("title", words(f"{label(period)}, {name} : {counts[period]}"))
                yield element("rect", told, x=f"{left + 1:.1f}", y=base, width=f"{max(1.0, step - 2):.1f}", height=tall,
                              class_=f"series-{turn}")  # fmt: skip
        if rank % every == 0:
            yield element("text", words(label(period)), x=f"{left:.1f}", y=HEIGHT - 8)
