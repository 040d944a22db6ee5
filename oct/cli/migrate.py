"""`oct migrate`: the database at the version that this program needs, created when it is empty."""

from __future__ import annotations

from oct.cli.opening import ConfigOption, read_settings


def migrate(config: ConfigOption = None) -> None:
    """Crée la base, ou la met à jour."""
    from oct.store.schema import REVISION, upgrade

    upgrade(read_settings(config).store.url)
    print(f"Base à la version {REVISION}.")
