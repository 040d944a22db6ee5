"""How an import is told: what changed, then every refused line with its reason. Exit 1 when a line was refused."""

from __future__ import annotations

from dataclasses import asdict

import typer

from oct.cli import DOES_NOT_HOLD
from oct.cli.printing import print_json
from oct.steps.register.imports import Imported


def print_import(what: str, imported: Imported, *, as_json: bool) -> None:
    """The report of one import."""
    if as_json:
        print_json(asdict(imported))
    else:
        for refusal in imported.refused:
            print(f"ligne {refusal.line} refusée : {refusal.reason}")
        counts = (
            _counted(imported.added, "ajout"),
            _counted(imported.updated, "modification"),
            f"{imported.unchanged} sans changement",
            f"{_counted(len(imported.refused), 'ligne')} en défaut",
        )
        print(f"{what} : {', '.join(counts)}.")
    if imported.refused:
        raise typer.Exit(DOES_NOT_HOLD)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}"
