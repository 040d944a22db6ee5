"""`oct bench`: the speed and the cost of a concentrator on this machine, to size others by."""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oct.cli import DOES_NOT_HOLD, complain
from oct.cli.opening import JsonOption
from oct.cli.printing import print_json
from oct.errors import ConfigurationError

if TYPE_CHECKING:
    from oct.bench.measures import Measure
    from oct.bench.results import Results

_ROW = "{:<14} {:<13} {:<30} {:>8} {:>7} {:>8} {:>10} {:>10}"
_HEADINGS = ("Mode", "Mesure", "Messages", "nombre", "msg/s", "envois/s", "CPU ms/msg", "250 p99 ms")


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Quelques secondes, pour voir que tout marche.")] = False,
    store: Annotated[
        str,
        typer.Option(
            "--store",
            metavar="URL",
            envvar="OCT_BENCH_STORE",
            show_envvar=False,
            help="Serveur PostgreSQL où créer une base d'essai, supprimée à la fin (sinon OCT_BENCH_STORE).",
            show_default=False,
        ),
    ] = "",
    queue: Annotated[
        str,
        typer.Option(
            "--queue",
            metavar="URL",
            envvar="OCT_BENCH_QUEUE",
            show_envvar=False,
            help="Redis dont personne d'autre ne se sert (sinon OCT_BENCH_QUEUE).",
            show_default=False,
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Mesure ce que cette machine fait passer, en trois minutes environ.

    Sortie 1 si un message ou un envoi manque à l'arrivée.
    """
    from oct.bench.measures import FULL, QUICK
    from oct.bench.results import run

    if bool(store) != bool(queue):
        raise ConfigurationError("banc-incomplet", "Le mode production demande --store et --queue ensemble.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if not as_json:
        print(" ; ".join(f"{name} {value}" for name, value in _machine().items()))
        print(_ROW.format(*_HEADINGS), flush=True)
    with tempfile.TemporaryDirectory(prefix="oct-bench-") as directory:
        results = run(Path(directory), QUICK if quick else FULL, store, queue, _silent if as_json else _tell)
    if as_json:
        print_json(document(results))
    else:
        _conclude(results, production=bool(store))
    if results.missing:
        raise typer.Exit(DOES_NOT_HOLD)


def _machine() -> dict[str, object]:
    return {"coeurs": os.cpu_count(), "python": platform.python_version(), "systeme": platform.platform()}


def _silent(_: Measure) -> None:
    """JSON is printed whole, at the end."""


def _tell(measure: Measure) -> None:
    leaving = f"{measure.leaving / measure.seconds:.0f}" if measure.leaving else ""
    figures = f"{measure.rate:.0f}", leaving, f"{measure.cpu_ms:.2f}", f"{measure.p99_ms:.0f}"
    print(_ROW.format(measure.mode, measure.stretch, measure.shape, measure.messages, *figures), flush=True)
    if measure.missing:
        complain(f"il manque {measure.missing} messages ou envois à cette mesure")


def _conclude(results: Results, *, production: bool) -> None:
    if not production:
        print("Mode production non mesuré : il demande --store et --queue.")
    cost = results.cost
    print(f"Cryptographie nue d'un message : {cost.bare_ms:.2f} ms de CPU ; l'ouvrir, le répartir et le sceller : "
          f"{cost.whole_ms:.2f} ms.")  # fmt: skip
    print("Rapports dans cette même exécution, chacun au milieu de ceux de plusieurs tours :")
    for ratio in results.ratios:
        bound = "au plus" if ratio.at_most else "au moins"
        verdict = "atteint" if ratio.held else "non atteint"
        print(f"  {ratio.name} : {ratio.value:.2f} (objectif : {bound} {ratio.goal:g}, {verdict})")


def document(results: Results) -> dict[str, Any]:
    """What --json prints."""
    return {
        "machine": _machine(),
        "mesures": [
            {
                "mode": one.mode,
                "mesure": one.stretch,
                "messages": one.shape,
                "nombre": one.messages,
                "envois": one.leaving,
                "manquants": one.missing,
                "secondes": one.seconds,
                "messages_par_seconde": one.rate,
                "envois_par_seconde": one.leaving / one.seconds,
                "cpu_ms_par_message": one.cpu_ms,
                "attente_250_p99_ms": one.p99_ms,
            }
            for one in results.measures
        ],
        "cryptographie_nue_cpu_ms": results.cost.bare_ms,
        "ouvrir_repartir_sceller_cpu_ms": results.cost.whole_ms,
        "rapports": [
            {
                "rapport": one.name,
                "valeur": one.value,
                "objectif": one.goal,
                "au_plus": one.at_most,
                "atteint": one.held,
            }
            for one in results.ratios
        ],
    }
