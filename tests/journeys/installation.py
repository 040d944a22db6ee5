"""An installation to copy, made as an operator makes one: `oct init`, then imports. The keys are the golden ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.journeys.golden import CLAIMS, OCT, PKI
from tests.journeys.world import operate


def install(directory: Path) -> None:
    """Everything that a world starts from."""
    keys = directory / "keys"
    keys.mkdir()
    for name in ("oct.key", "oct.pem", "oct-old.key", "oct-old.pem"):
        shutil.copy(PKI / name, keys)
    operate(directory, "init", ".", "--number", "552100554", "--address", OCT)
    operate(directory, "ps", "import", str(CLAIMS / "praticiens.csv"))
    for table in ("orgdest.csv", "amc.csv"):
        operate(directory, "insurers", "import", str(CLAIMS / table))
    operate(directory, "certs", "add", str(PKI / "chaine.pem"), *map(str, PKI.glob("*@*.pem")))
