"""`oct bench` as its user runs it, for a few messages: everything arrives and every figure is printed, embedded and in
production mode, by roles, PostgreSQL and a broker. How fast is nobody's promise here."""

from __future__ import annotations

import subprocess

import psycopg

from oct.bench.measures import Mode, Stretch
from oct.bench.traffic import FOUR, LARGE, SHAPES
from tests.databases import Postgres
from tests.journeys.world import OCT_PROGRAM
from tests.valkey import Broker


def test_everything_arrives_and_every_figure_is_printed(postgres_server: Postgres, broker: Broker) -> None:
    store = postgres_server.admin.render_as_string(hide_password=False)
    before = databases(store)
    every_figure_is_printed(benched("--store", store, "--queue", broker.url), Mode.EMBEDDED, Mode.PRODUCTION)
    assert databases(store) == before


def databases(url: str) -> set[str]:
    """Those of a server."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def benched(*options: str) -> list[str]:
    """The lines that it printed."""
    command = [str(OCT_PROGRAM), "bench", "--quick", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def every_figure_is_printed(lines: list[str], *modes: Mode) -> None:
    """One line a measure, whole; AssertionError or StopIteration for what is missing."""
    for mode in modes:
        for shape in SHAPES:
            assert _figures(lines, mode, Stretch.WHOLE, shape.label) == 5
        for shape in (FOUR, LARGE):
            assert _figures(lines, mode, Stretch.DOOR, shape.label) == 4
    assert _figures(lines, Mode.PLAIN, Stretch.DOOR, FOUR.label) == 4
    assert sum("objectif" in line for line in lines) == 1 + 3 * len(modes)


def _figures(lines: list[str], mode: Mode, stretch: Stretch, shape: str) -> int:
    """How many figures stand on the first line of a measure."""
    line = next(one for one in lines if one.startswith(mode) and f" {stretch} " in one and f" {shape} " in one)
    return len(line.partition(f" {shape} ")[2].split())
