"""The home board: the flows of the day, what waits and for how long, who does not take what is sent, what needs a
person (K1). Each refreshment is a look like any other (J3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from markupsafe import Markup
from sqlalchemy import Connection

from oct.clock import paris
from oct.domain import words
from oct.steps.alerts.door import refusals_of_the_day
from oct.steps.alerts.traffic import traffic_alerts
from oct.steps.register.validity import SOON, look_over
from oct.store import certificates
from oct.store.overview import DAY_MS, HOUR_MS, arrivals, overview, refusing, unfinished_by_insurer
from oct.store.registry import Snapshot
from oct.web.desk import Desk, DeskGiven
from oct.web.drawing.flow_chart import flow_chart
from oct.web.pages.reader import Reader, Reading

router = APIRouter()

_DAYS, _HOURS = 14, 24
_SOON_MS = int(SOON.total_seconds()) * 1000
_SHOWN = 20
_TURNS = 20
"""Refreshments of one page: ten minutes of them."""


@router.get("/")
def board(reader: Reading, desk: DeskGiven) -> Response:
    """The whole board."""
    return reader.page("home.html", **_seen(reader, desk, 0))


@router.get("/etat")
def state(reader: Reading, desk: DeskGiven, tour: Annotated[int, Query(ge=0)] = 0) -> Response:
    """What refreshes itself, for a while: a page that nobody looks at any more must not keep its session open."""
    return reader.page("board_state.html", **_seen(reader, desk, min(tour, _TURNS)))


def _seen(reader: Reader, desk: Desk, turn: int) -> dict[str, Any]:
    now = reader.workshop.clock()
    with reader.look() as (conn, register):
        seen = overview(conn, now)
        waiting = unfinished_by_insurer(conn)
        hours = arrivals(conn, now - _HOURS * HOUR_MS, HOUR_MS)
        days = arrivals(conn, now - _DAYS * DAY_MS, DAY_MS)
        ending = certificates.ending(conn, now + _SOON_MS)
        refused = refusing(conn)
        turned_away = refusals_of_the_day(conn, now)
        findings = list(_findings(conn, reader, register, now))
    return {
        "now": now,
        "turn": turn,
        "turns": _TURNS,
        "flows": (
            ("Messages, 24 heures", _named(seen.messages, words.MESSAGE)),
            ("Lots", _named(seen.lots, words.LOT)),
            ("Envois", _named(seen.consignments, words.CONSIGNMENT)),
        ),
        "seen": seen,
        "alerts": [*traffic_alerts(seen, now), *findings, *desk.alerts(now)],
        "turned_away": turned_away,
        "insurers": sorted(
            ((register.directory.insurers.get(insurer_id or 0), counts) for insurer_id, counts in waiting.items()),
            key=lambda one: -sum(one[1].values()),
        )[:_SHOWN],
        "refused": refused[:_SHOWN],
        "ending": ending[:_SHOWN],
        "hours": _chart("Messages reçus, par heure", hours, now // HOUR_MS, _HOURS, HOUR_MS, "%Hh"),
        "days": _chart("Messages reçus, par jour", days, now // DAY_MS, _DAYS, DAY_MS, "%d/%m"),
    }


def _findings(conn: Connection, reader: Reader, register: Snapshot, now: int) -> Iterator[str]:
    """What is wrong with the concentrator's own certificates and the lists, and whose certificates end soon without
    another that takes over. Every certificate is judged by `oct certs check`: a board that refreshes itself cannot."""
    own, lists = reader.workshop.opener.keys.keys, certificates.revocation_lists(conn)
    stored = certificates.ending_with_others(conn, now + _SOON_MS)
    found = [one for one in look_over(stored, lists, own, register.trust, now) if one.needs_a_person]
    for one in found[:_SHOWN]:
        insurer = register.insurers_by_address.get(one.what)
        yield f"{f'{insurer.label}, ' if insurer is not None else ''}{one.what} : {one.sentence}"
    if found[_SHOWN:]:
        yield f"certificats à voir, en plus des précédents : {len(found) - _SHOWN} (« oct certs check »)"


def _named(counts: Mapping[str, int], names: Mapping[str, str]) -> list[tuple[str, str, int]]:
    return [(state, words.word(names, state), count) for state, count in counts.items()]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing and what its colours stand for, in their order."""

    drawn: Markup
    series: tuple[str, ...]


def _chart(title: str, found: Mapping[str, Mapping[int, int]], last: int, count: int, step: int, form: str) -> Chart:
    series = {words.word(words.ORIGIN, origin): counts for origin, counts in sorted(found.items(), reverse=True)}
    drawn = flow_chart(
        title, series, range(last - count + 1, last + 1), lambda period: f"{paris(period * step):{form}}", f"h{count}"
    )
    return Chart(Markup(drawn), tuple(series))  # noqa: S704 - made by oct.web.drawing, which escapes every word
