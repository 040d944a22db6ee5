"""`oct config`: the effective values and where each comes from, or every fault at once."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from oct.cli.opening import ConfigOption, JsonOption
from oct.cli.printing import print_rows

_HEADINGS = {"table": "Table", "cle": "Clé", "valeur": "Valeur", "origine": "Origine"}


def config(
    path: ConfigOption = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Vérifie tout ce que « oct run » demande au démarrage, sans rien afficher d'autre."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Montre la configuration effective et d'où vient chaque valeur."""
    from oct.settings import find, load, shown

    loaded = load(find(path, os.environ), os.environ)
    if check:
        from oct.programs import check_start

        check_start(loaded.settings)
        print(f"Configuration correcte : {loaded.path or 'valeurs par défaut'}.")
        return
    rows = [
        {"table": one.section, "cle": one.key, "valeur": one.value, "origine": one.origin.value}
        for one in shown(loaded)
    ]
    print_rows(rows, _HEADINGS, as_json=as_json, empty="")
