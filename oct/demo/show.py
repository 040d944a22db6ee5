"""Plays the demonstration in a terminal: a progress bar, then the table of what became of each message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from oct.demo.acts import ACTS
from oct.demo.journal import Entry, journal
from oct.demo.later_acts import LATER_ACTS
from oct.demo.stage import Act, Stage
from oct.demo.visitor import show_around
from oct.demo.world import World


def show(console: Console, directory: Path, stay: Event | None, prepare: Callable[[], None]) -> bool:
    """Plays every act; whether all that had to happen did. `stay`: keep running until it is set; `prepare` sets the log
    up in the program's other processes."""
    console.print(f"Concentrateur d'essai dans {directory}")
    with World(directory, prepare) as world:
        console.print(f"Sa console : http://{_place(world.web)}/")
        stage = Stage(world)
        _play(console, stage)
        entries = journal(world.workshop, [act.trace for act in stage.acts])
        console.print(_table(stage.acts, entries))
        faults = [(act.title, fault) for act in stage.acts for fault in act.faults]
        for title, fault in faults:
            console.print(f"✗ {title} : {fault}", style="red", markup=False)
        if stay is not None:
            doors = f"SMTP {_place(world.door)}, POP {_place(world.pop)}"
            console.print(f"Le concentrateur reste en marche : {doors}. Ctrl-C pour l'arrêter.")
            show_around(console, world.workshop, f"http://{_place(world.web)}/", stay)
    sent = len({act.trace for act in stage.acts})
    console.print(f"{sent} messages, {len(faults)} écart(s). Rien ne tourne plus." if stay is None else "Arrêté.")
    return not faults


def _place(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def _play(console: Console, stage: Stage) -> None:
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=console.record) as progress:
        acts = (*ACTS, *LATER_ACTS)
        task = progress.add_task("", total=len(acts))
        for act in acts:
            progress.update(task, description=act.__name__.replace("_", " "))
            act(stage)
            progress.advance(task)
        progress.update(task, description="terminé")


def _table(acts: Sequence[Act], entries: Sequence[Entry]) -> Table:
    table = Table(title="Ce que chaque message est devenu", show_lines=True)
    for heading in ("Message", "Lots", "ART", "Retours", "Numéro de suivi"):
        table.add_column(heading, overflow="fold")
    for act, entry in zip(acts, entries, strict=True):
        mark = "[red]✗[/red]" if act.faults else "[green]✓[/green]"
        table.add_row(
            f"{mark} {act.title} ({act.sender.type})",
            "\n".join(entry.lots),
            entry.art,
            "\n".join(entry.returns) or "-",
            entry.trace,
        )
    return table
