"""An installation in a folder of its own, and the command line run on it in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from oct.cli import main
from oct.settings import load
from oct.store.engine import open_store

OFFICIAL_HEADER = (
    '"code régime";"caisse gestionnaire";"centre gestionnaire";"libellé";"régime";"organisme destinataire";'
    '"code centre informatique"'
)
OFFICIAL = f"""{OFFICIAL_HEADER}
"01";"421";"0000";"ANTENNE";"Régime Général";"422";"016"
"01";"422";"0000";"SAINT ÉTIENNE";"Régime Général";"422";"016"
"02";"475";"0000";"MSA AGEN";"MSA";"471";"470"
""".encode("latin-1")
AMC = b"numero;code_routage;hote;libelle;adresse\n0099999991;MA;349;MUTUELLE ALPHA;ma349@349.ma.rss.fr\n"
PRACTITIONERS = b"numero;type;nom;adresse\n421234567;ER;CABINET DU PONT;pont@boite.example\n"


@dataclass(frozen=True)
class Result:
    """What a command did: exit code, standard output, standard error output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Office:
    """`oct` on one installation."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *line: str | Path) -> Result:
        """Runs one command with this installation's configuration."""
        return self.bare(*line, "--config", self.folder)

    def bare(self, *line: str | Path) -> Result:
        """Runs one command as it is."""
        self.capsys.readouterr()
        code = main([str(word) for word in line])
        captured = self.capsys.readouterr()
        return Result(code, captured.out, captured.err)

    def file(self, name: str, content: bytes) -> Path:
        """A file beside the installation, to hand in."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """A write transaction on its database."""
        store = open_store(load(self.folder / "oct.toml", {}).settings.store.url)
        with store.begin() as conn:
            yield conn
        store.close()
