"""An installation to copy, made as an operator makes one: `oct init`, then imports. The keys are the golden ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.journeys.golden import CLAIMS, OCT, PKI
from tests.journeys.world import oct_command

"""The second number of a group practice, which is added to its account."""


def install(directory: Path) -> None:
    """Everything that a world starts from."""
    keys = directory / "keys"
    keys.mkdir()
    for name in ("oct.key", "oct.pem", "oct-old.key", "oct-old.pem"):
        shutil.copy(PKI / name, keys)
    oct_command(directory, "init", ".", "--number", "552100554", "--address", OCT)
    oct_command(directory, "ps", "import", str(CLAIMS / "praticiens.csv"))
    for table in ("orgdest.csv", "amc.csv"):
        oct_command(directory, "insurers", "import", str(CLAIMS / table))
    oct_command(directory, "certs", "add", str(PKI / "chaine.pem"), *map(str, PKI.glob("*@*.pem")))
