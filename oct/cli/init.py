"""`oct init`: a folder ready to work: configuration, keys and certificate request, master key, database.

Run again in a folder that has its configuration, it brings the database up to date and makes the keys of the journal
and of the pseudonyms if there are none, and changes nothing else. With `--test` it
makes a whole trial authority, whose private keys stay in `essai/` so that simulators can issue more certificates.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oct.errors import ConfigurationError, os_reason

if TYPE_CHECKING:
    from oct.settings import Settings

TRIAL = "essai"
"""The folder of the trial authority."""


def init(
    directory: Annotated[Path, typer.Argument(metavar="REPERTOIRE", help="Où s'installer.")],
    test: Annotated[
        bool, typer.Option("--test", help="Avec une autorité d'essai, sans certificat à demander.")
    ] = False,
    number: Annotated[
        str, typer.Option("--number", metavar="SIREN", help="Numéro du concentrateur.", show_default=False)
    ] = "",
    address: Annotated[
        str, typer.Option("--address", metavar="ADRESSE", help="Adresse du concentrateur.", show_default=False)
    ] = "",
    name: Annotated[str, typer.Option("--name", metavar="NOM", help="Nom du concentrateur.", show_default=False)] = "",
) -> None:
    """Installe un concentrateur, ou met sa base à jour."""
    from oct.settings import CONFIG_NAME, check_text, load
    from oct.settings.data_files import built_in
    from oct.store.schema import REVISION, upgrade

    path = directory / CONFIG_NAME
    if path.exists():
        settings = load(path, os.environ).settings
        upgrade(settings.store.url)
        print(f"{path} est déjà là : rien n'y est changé, clés non plus. Base à la version {REVISION}.")
        _make_pseudonym_key(settings)
        _make_journal_key(settings)
        return
    text = _filled(built_in(CONFIG_NAME), {"number": number, "address": address, "name": name})
    check_text(text)
    _make_folder(directory)
    draft = path.with_suffix(".toml.nouveau")
    draft.write_text(text, encoding="utf-8")
    settings = load(draft, os.environ).settings
    _make_master_key(settings)
    _make_pseudonym_key(settings)
    upgrade(settings.store.url)
    _make_keys(directory, settings, test=test)
    _make_journal_key(settings)
    draft.replace(path)  # last: until then, init run again completes what is missing
    print(f"Configuration : {path}")
    print(f"Base          : version {REVISION}")


def _filled(template: str, values: dict[str, str]) -> str:
    """The commented configuration with the given values of [oct] put in."""
    for key, value in values.items():
        if value:
            line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
            template = re.sub(rf"^# {key} = .*$", line.replace("\\", r"\\"), template, count=1, flags=re.MULTILINE)
    return template


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError("repertoire", f"{path} ne peut pas être créé : {os_reason(error)}.") from error


def _make_master_key(settings: Settings) -> None:
    from oct.clock import paris, system_clock
    from oct.crypto.atrest import create_master_key, load_master_keys

    _make_folder(settings.keys.directory)
    _make_folder(settings.keys.master)
    if not load_master_keys(settings.keys.master):
        create_master_key(settings.keys.master / f"{paris(system_clock()):%Y%m%d}.master")
    print(f"Clé maîtresse : {settings.keys.master} (à sauvegarder : sans elle, aucun contenu n'est lisible)")


def _make_pseudonym_key(settings: Settings) -> None:
    """The key that hides patients where there is none: older installations had none."""
    from oct.cli.keys import new_secret
    from oct.crypto.pseudonyms import SUFFIX

    directory = settings.keys.pseudonyms
    _make_folder(directory)
    if not any(directory.glob(f"*{SUFFIX}")):
        print(f"Pseudonymes   : clé {new_secret(directory, SUFFIX)} (à sauvegarder, ailleurs que la base)")


def _make_journal_key(settings: Settings) -> None:
    """The key of the journal where there is none: older installations had none."""
    from oct.cli.proof import new_journal_key

    _make_folder(settings.journal.keys)
    if not any(settings.journal.keys.glob("*.key")):
        print(f"Clé journal   : créée ; à donner à qui vérifie la trace : {new_journal_key(settings.journal.keys)}")


def _make_keys(directory: Path, settings: Settings, *, test: bool) -> None:
    if any(settings.keys.directory.glob("*.key")):
        print(f"Clés          : déjà dans {settings.keys.directory}, conservées")
    elif test:
        _make_trial_keys(directory / TRIAL, settings)
    else:
        _make_request(settings)


def _make_request(settings: Settings) -> None:
    from oct.crypto.keystore import generate_key_and_request
    from oct.crypto.private_files import write_private

    key, request = generate_key_and_request(settings.oct.address, settings.oct.name)
    write_private(settings.keys.directory / "oct.key", key)
    request_path = settings.keys.directory / "oct.csr"
    request_path.write_bytes(request)
    print(f"Demande       : {request_path}, pour {settings.oct.address}")
    print("Faites-la signer par votre autorité, puis : « oct certs add CERTIFICAT » avec ceux des autorités.")


def _make_trial_keys(trial: Path, settings: Settings) -> None:
    from dataclasses import replace
    from datetime import timedelta

    from oct.cli.opening import actor
    from oct.clock import system_clock, utc
    from oct.crypto.authority import TestAuthority
    from oct.crypto.pair_files import read_authority, write_authority, write_pair
    from oct.steps.register.enrol import OwnPlace, enrol
    from oct.store.engine import open_store

    now = system_clock()
    if not trial.exists():
        _make_folder(trial)
        write_authority(trial, TestAuthority.create(utc(now) - timedelta(hours=1)))
    authority = read_authority(trial)
    write_pair(settings.keys.directory, replace(authority.issue(settings.oct.address), name="oct"))
    chain = [(path.name, path.read_bytes()) for path in sorted(trial.glob("*.pem"))]
    own = OwnPlace(settings.oct.address, settings.keys.directory, None)
    store = open_store(settings.store.url)
    try:
        enrol(store, chain, own, now=now, actor=actor())
    finally:
        store.close()
    print(f"Clés d'essai  : {settings.keys.directory} ; autorité d'essai dans {trial}, qui ne protège rien")
