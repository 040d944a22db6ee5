"""What `oct bench` sends, and how it tells what it measured; `endurance` has the command itself."""

from __future__ import annotations

import json
from pathlib import Path

from oct.bench.floor import Cost
from oct.bench.goals import Ratio, of_mode
from oct.bench.measures import Measure, Mode, Stretch
from oct.bench.results import Results
from oct.bench.traffic import FOUR, LARGE, Shape, Traffic
from oct.cli.bench import document
from oct.clock import system_clock, utc
from oct.crypto.authority import TestAuthority
from tests.journeys.world import commanded


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


def test_a_ratio_is_the_middle_one_of_pairs_made_one_after_the_other() -> None:
    """The machine gets slower and quicker: what counts is what went just before."""

    def made(mode: Mode, stretch: Stretch, shape: Shape, rate: float) -> Measure:
        return Measure(mode, stretch, shape.label, 100, 0, 0, 100 / rate, 1.0, 1.0)

    measures = []
    for speed, factor in ((1.0, 0.5), (0.5, 0.1), (2.0, 0.9)):
        measures.append(made(Mode.PLAIN, Stretch.DOOR, FOUR, 400 * speed))
        measures.append(made(Mode.PRODUCTION, Stretch.WHOLE, FOUR, 400 * speed * factor))
    measures.append(made(Mode.PRODUCTION, Stretch.WHOLE, LARGE, 1))
    for speed, factor in ((0.2, 0.25), (3.0, 0.35), (1.0, 0.3)):
        measures.append(made(Mode.PLAIN, Stretch.DOOR, FOUR, 400 * speed))
        measures.append(made(Mode.PRODUCTION, Stretch.DOOR, FOUR, 500 * speed))
        measures.append(made(Mode.PRODUCTION, Stretch.DOOR, LARGE, 500 * speed * factor))
    measures.append(made(Mode.PLAIN, Stretch.DOOR, LARGE, 1))
    door, whole, large = of_mode(measures)
    assert (round(door.value, 6), round(whole.value, 6), round(large.value, 6)) == (1.25, 0.5, 0.3)
    assert [one.held for one in (door, whole, large)] == [True, True, True]


def test_half_of_production_is_refused(tmp_path: Path) -> None:
    code, told = commanded(tmp_path, "bench", "--store", "x")
    assert (code, "--queue" in told) == (2, True)
