"""`oct keys`: a new master key or key of pseudonyms, and payloads put under the newest master key.

The key that signs the journal is `oct trace rotate`'s, the pair that deciphers messages `oct certs`'s and `oct init`'s;
infra/runbook/key-rotation.md says when and in what order.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from oct.cli.opening import ConfigOption, at_desk, read_settings
from oct.cli.usage import Noun
from oct.errors import ConfigurationError

app = Noun("Les clés secrètes : en créer une nouvelle, retirer une ancienne.")


@app.callback()
def _noun() -> None:
    """Les clés secrètes : en créer une nouvelle, retirer une ancienne."""


class Secret(StrEnum):
    """Which key is renewed."""

    MASTER = "maitresse"
    PSEUDONYMS = "pseudonymes"


@app.command()
def rotate(
    which: Annotated[Secret, typer.Argument(metavar="CLE", help="maitresse ou pseudonymes.")],
    config: ConfigOption = None,
) -> None:
    """Crée une clé, qui servira au prochain « oct run ».

    Les anciennes continuent de lire : ne les retirez pas encore.
    """
    from oct.crypto import atrest, pseudonyms

    keys = read_settings(config).keys
    places: Mapping[Secret, tuple[Path, str]] = {
        Secret.MASTER: (keys.master, atrest.SUFFIX),
        Secret.PSEUDONYMS: (keys.pseudonyms, pseudonyms.SUFFIX),
    }
    print(f"À sauvegarder, ailleurs que la base : {new_secret(*places[which])}")


@app.command()
def rewrap(config: ConfigOption = None) -> None:
    """Met les contenus conservés sous la dernière clé maîtresse, pour pouvoir retirer les précédentes.

    Peut être interrompu et repris ; « oct run » peut tourner, avec la nouvelle clé.
    """
    from oct.bootstrap import open_vault
    from oct.steps.keeping.rewrap import kept_under
    from oct.steps.keeping.rewrap import rewrap as put_under

    with at_desk(config) as desk:
        vault = open_vault(desk.settings)
        done = put_under(desk.store, vault)
        kept = kept_under(desk.store)
    print(f"{done} contenus mis sous la clé maîtresse {vault.current}.")
    for name, count in sorted(kept.items()):
        print(f"  {name} : {count} contenus")


def new_secret(directory: Path, suffix: str) -> Path:
    """A new secret key, last by its name; its path. ConfigurationError when another one would stay the last."""
    from oct.clock import system_clock, utc
    from oct.crypto.private_files import write_key

    name = f"{utc(system_clock()):%Y%m%dT%H%M%S}"
    if later := [path.name for path in directory.glob(f"*{suffix}") if path.stem >= name]:
        raise ConfigurationError(
            "cle-ordre", f"La clé {later[0]} de {directory} resterait la dernière par ordre de nom : renommez-la."
        )
    path = directory / f"{name}{suffix}"
    write_key(path)
    return path
