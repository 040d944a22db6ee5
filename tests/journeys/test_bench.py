"""`oct bench` sees everything arrive, in both modes, and prints every figure. How fast is nobody's promise here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from oct.bench.floor import Cost
from oct.bench.goals import Ratio
from oct.bench.measures import Measure, Mode, Stretch
from oct.bench.results import Results
from oct.bench.traffic import FOUR, LARGE, SHAPES, Traffic
from oct.cli.bench import document
from oct.clock import system_clock, utc
from oct.crypto.authority import TestAuthority
from tests.databases import Postgres
from tests.journeys.world import OCT_PROGRAM, free_port
from tests.valkey import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(free_port(), tmp_path)
    broker.start()
    yield broker
    broker.kill()


def test_everything_arrives_and_every_figure_is_printed(postgres_server: Postgres, broker: Broker) -> None:
    store = postgres_server.admin.render_as_string(hide_password=False)
    before = databases(store)
    command: list[str | Path] = [OCT_PROGRAM, "bench", "--quick", "--store", store, "--queue", broker.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for mode in (Mode.EMBEDDED, Mode.PRODUCTION):
        for shape in SHAPES:
            assert figures(lines, mode, Stretch.WHOLE, shape.label) == 5
        for shape in (FOUR, LARGE):
            assert figures(lines, mode, Stretch.DOOR, shape.label) == 4
    assert figures(lines, Mode.PLAIN, Stretch.DOOR, FOUR.label) == 4
    assert sum("objectif" in line for line in lines) == 7
    assert databases(store) == before


def test_the_large_message_has_the_size_it_is_named_by() -> None:
    certificate = TestAuthority.create(utc(system_clock())).issue("oct@concentrateur.example").certificate
    (shipment,) = Traffic(certificate).draw(LARGE, 1)
    assert abs(len(shipment.data) - 262_144) < 10_000


def test_no_two_messages_hold_the_same_lots() -> None:
    certificate = TestAuthority.create(utc(system_clock())).issue("oct@concentrateur.example").certificate
    traffic = Traffic(certificate)
    files = [traffic.file(FOUR) for _ in range(3)]
    assert len({lot.sha256 for file in files for lot in file.lots}) == 12


def test_the_figures_are_json_too() -> None:
    measure = Measure(Mode.EMBEDDED, Stretch.WHOLE, FOUR.label, 10, 50, 0, 2.0, 1.5, 12.0)
    results = Results((measure,), Cost(2.0, 1.0, 2.0, 14080), (Ratio("essai", 0.4, 0.5), Ratio("essai", 1.9, 2, True)))
    read = json.loads(json.dumps(document(results)))
    assert read["mesures"][0]["messages_par_seconde"] == 5.0
    assert [one["atteint"] for one in read["rapports"]] == [False, True]


def test_half_of_production_is_refused() -> None:
    done = subprocess.run([OCT_PROGRAM, "bench", "--store", "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, "--queue" in done.stderr) == (2, True)


def figures(lines: list[str], mode: Mode, stretch: Stretch, shape: str) -> int:
    """How many figures stand on the first line of a measure."""
    line = next(one for one in lines if one.startswith(mode) and f" {stretch} " in one and f" {shape} " in one)
    return len(line.partition(f" {shape} ")[2].split())


def databases(url: str) -> set[str]:
    """Those of a server."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
