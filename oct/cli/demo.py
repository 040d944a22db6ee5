"""`oct demo`: a whole concentrator at work in a temporary folder, with simulated practitioners and insurers."""

from __future__ import annotations

import signal
import tempfile
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from rich.console import Console


def demo(
    stay: Annotated[bool, typer.Option("--stay", help="Laisser tourner le concentrateur jusqu'à Ctrl-C.")] = False,
) -> None:
    """Montre un concentrateur entier au travail sur cette machine."""
    from oct.cli.logs import configure
    from oct.demo.show import show

    prepare = partial(configure, "", "error")
    prepare()
    stop = Event()
    if stay:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="oct-demo-") as directory:
        held = show(Console(), Path(directory), stop if stay else None, prepare)
    raise typer.Exit(0 if held else 1)
