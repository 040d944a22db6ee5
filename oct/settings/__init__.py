"""The settings: `oct.toml` and the environment make one frozen tree, checked whole when the program starts.

Every key has a default and stands, commented, in `config/oct.toml`. The environment wins over the file:
`OCT_SMTP__LISTEN` is `[smtp] listen`. Between the two come the files of the directory that `OCT_SECRETS` names, a value
each: `store__url` is `[store] url`. An unknown key is an error, and all faults are reported at once, each with
its key, on a line of its own. Durations are written `30s`, `5m`, `48h`, `5d` and become milliseconds; sizes `25MiB`
become bytes. Relative paths are taken from the folder of the configuration file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from oct.errors import ConfigurationError
from oct.settings.faults import told
from oct.settings.sections import Section, Settings
from oct.settings.values import Unit

__all__ = ["CONFIG_NAME", "Loaded", "Origin", "Settings", "Shown", "check_text", "find", "load", "shown"]

ENVIRONMENT_PREFIX = "OCT_"
SECRETS = "OCT_SECRETS"
CONFIG_NAME = "oct.toml"
_SECRET = "***"  # noqa: S105 - what is shown in place of one


class Origin(StrEnum):
    """Where a value comes from."""

    DEFAULT = "défaut"
    FILE = "fichier"
    SECRET = "secret"  # noqa: S105 - where a value comes from
    ENVIRONMENT = "environnement"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, the file they were read from (None: defaults alone) and where each key comes from."""

    settings: Settings
    path: Path | None
    origins: Mapping[tuple[str, str], Origin]


@dataclass(frozen=True, slots=True)
class Shown:
    """One effective value as an operator may read it: written as in the file, secrets hidden."""

    section: str
    key: str
    value: str
    origin: Origin


def load(path: Path | None, environment: Mapping[str, str]) -> Loaded:
    """Reads the file, then the environment over it. ConfigurationError names every key at fault, one a line."""
    in_file = _read_file(path) if path is not None else {}
    in_secrets = _read_secrets(environment)
    in_environment = _read_environment(environment)
    settings = _anchored(_checked(in_file, in_secrets, in_environment), path.parent if path is not None else Path())
    layers = ((Origin.FILE, in_file), (Origin.SECRET, in_secrets), (Origin.ENVIRONMENT, in_environment))
    origins = {
        (section, key): origin for origin, layer in layers for section in layer for key in _table(layer, section)
    }
    return Loaded(settings, path, origins)


def check_text(text: str) -> None:
    """Raises ConfigurationError unless `text` could be a configuration file."""
    _checked(tomllib.loads(text))


def shown(loaded: Loaded) -> list[Shown]:
    """Every effective value, in the order of `config/oct.toml`."""
    found = []
    for name in Settings.model_fields:
        section = getattr(loaded.settings, name)
        for key, field in type(section).__pydantic_fields__.items():
            unit = next((one for one in field.metadata if isinstance(one, Unit)), None)
            text = _written(getattr(section, key), unit)
            hidden = _SECRET if not field.repr and text else re.sub(r"(://[^:/@]*):[^@]*@", rf"\1:{_SECRET}@", text)
            found.append(Shown(name, key, hidden, loaded.origins.get((name, key), Origin.DEFAULT)))
    return found


def find(given: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The configuration file: the one given, else `OCT_CONFIG`, else `oct.toml` here, else none."""
    if given is None and "OCT_CONFIG" in environment:
        given = Path(environment["OCT_CONFIG"])
    if given is not None:
        path = given / CONFIG_NAME if given.is_dir() else given
        if not path.is_file():
            raise ConfigurationError(
                "config-absente", f"Fichier de configuration introuvable : {path}. « oct init » en écrit un."
            )
        return path
    here = Path(CONFIG_NAME)
    return here if here.is_file() else None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("config-illisible", f"{path} n'est pas du TOML : {error}") from error


def _read_environment(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    prefix = ENVIRONMENT_PREFIX
    return _tables({name.removeprefix(prefix): value for name, value in environment.items() if name.startswith(prefix)})


def _read_secrets(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The values that are files; a name without `__` is somebody else's."""
    if not (directory := environment.get(SECRETS)):
        return {}
    try:
        files = [path for path in Path(directory).iterdir() if "__" in path.name and path.is_file()]
        return _tables({path.name: path.read_text(encoding="utf-8").strip() for path in files})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("secrets-illisibles", f"Secrets illisibles dans {directory} ({SECRETS}).") from error


def _tables(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Values named `SECTION__KEY`, by table; other names are left."""
    found: dict[str, dict[str, str]] = {}
    for name, value in values.items():
        section, separator, key = name.partition("__")
        if separator:
            found.setdefault(section.lower(), {})[key.lower()] = value
    return found


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, Mapping):
        raise ConfigurationError("config-invalide", f"{name} doit être une table : [{name}].")
    return table


def _checked(*layers: Mapping[str, Any]) -> Settings:
    """The tree that documents make, each over the ones before it."""
    tree: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for name in layer:
            tree.setdefault(name, {}).update(_table(layer, name))
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigurationError("config-invalide", told(error)) from None


def _written(value: object, unit: Unit | None) -> str:
    """A value as the file would have it, without quotes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_written(one, unit)}" for name, one in value.items())
    if isinstance(value, tuple):
        return ", ".join(_written(one, unit) for one in value)
    return unit.write(value) if unit is not None and isinstance(value, int) else str(value)


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Relative paths, and the path of a SQLite file, taken from the folder of the configuration."""
    changed: dict[str, Section] = {}
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if not isinstance(section, Section):
            continue
        paths = {key: folder / value for key, value in section if isinstance(value, Path)}
        if paths:
            changed[name] = section.model_copy(update=paths)
    url = settings.store.url
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        resolved = (folder / url.removeprefix(prefix)).absolute()
        changed["store"] = settings.store.model_copy(update={"url": f"{prefix}{resolved}"})
    return settings.model_copy(update=changed)
