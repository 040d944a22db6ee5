"""The settings: `oct.toml` and the environment make one frozen tree, checked whole when the program starts.

Every key has a default and stands, commented, in `config/oct.toml`. The environment wins over the file:
`OCT_SMTP__LISTEN` is `[smtp] listen`. An unknown key is an error, and all faults are reported at once, each with
its key. Durations are written `30s`, `5m`, `48h`, `5d` and become milliseconds; sizes `25MiB` become bytes.
Relative paths are taken from the folder of the configuration file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from oct.domain.conventions import Conventions
from oct.errors import ConfigurationError

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_UNITS_BYTES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
ENVIRONMENT_PREFIX = "OCT_"
CONFIG_NAME = "oct.toml"


def _measured(units: Mapping[str, int], example: str) -> BeforeValidator:
    def read(value: object) -> object:
        match = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", str(value).strip())
        if match is None or match[2] not in units:
            raise ValueError(f"attendu : un nombre et une unité, par exemple {example}")
        return int(match[1]) * units[match[2]]

    return BeforeValidator(read)


def _separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Duration = Annotated[int, _measured(_UNITS_MS, '"48h"')]
"""Milliseconds."""
Size = Annotated[int, _measured(_UNITS_BYTES, '"25MiB"')]
"""Bytes."""
Names = Annotated[tuple[str, ...], BeforeValidator(_separated)]
"""A list; in the environment, separated by commas."""
Durations = Annotated[tuple[Duration, ...], BeforeValidator(_separated)]
Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$", max_length=254)]
HostPort = Annotated[str, Field(pattern=r"^\[?[A-Za-z0-9.:_-]*\]?:\d{1,5}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OctSection(_Section):
    """Who the concentrator is."""

    number: Annotated[str, Field(pattern=r"^\d{9,14}$")] = "000000000"
    address: Address = "oct@concentrateur.example"
    name: Annotated[str, Field(min_length=1, max_length=60)] = "Concentrateur OCT"
    hostname: str = "localhost"


class SmtpSection(_Section):
    """The door where practitioners and insurers hand in their messages."""

    listen: Names = ("127.0.0.1:2525",)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    max_message: Size = 25 << 20
    max_recipients: Annotated[int, Field(ge=1)] = 10
    max_connections: Annotated[int, Field(ge=1)] = 2000
    max_connections_per_address: Annotated[int, Field(ge=1)] = 50
    max_memory: Size = 256 << 20
    idle: Duration = 300_000
    data: Duration = 600_000


class DeliverySection(_Section):
    """How messages leave."""

    relay: HostPort | Literal[""] = ""
    tls: Literal["none", "opportunistic", "required"] = "opportunistic"
    retry: Durations = (60_000, 300_000, 900_000, 3_600_000, 14_400_000)
    expire: Duration = 5 * 86_400_000
    timeout: Duration = 60_000


class StoreSection(_Section):
    """The database."""

    url: str = "sqlite:///oct.db"
    pool_size: Annotated[int, Field(ge=1, le=100)] = 10


class KeysSection(_Section):
    """Own keys: `directory` holds the pairs that decipher, `master` the keys that protect payloads at rest."""

    directory: Path = Path("keys")
    passphrase: Annotated[str, Field(repr=False)] = ""
    master: Path = Path("keys/master")


class CertificatesSection(_Section):
    """What a certificate must show before anything is encrypted to it (H8)."""

    revocation: Literal["off", "soft", "hard"] = "soft"
    grace: Duration = 7 * 86_400_000


class ClearSection(_Section):
    """Attachments that are not encrypted."""

    accept: bool = False


class OpeningSection(_Section):
    """Limits while a message is opened (H3)."""

    max_file: Size = 64 << 20
    tries: Annotated[int, Field(ge=1, le=10)] = 3


class WorkerSection(_Section):
    """The embedded worker."""

    threads: Annotated[int, Field(ge=1, le=32)] = 2
    senders: Annotated[int, Field(ge=1, le=64)] = 4
    batch: Annotated[int, Field(ge=1, le=500)] = 20
    lease: Duration = 120_000
    sweep: Duration = 5_000


class FormatsSection(_Section):
    """Other data files than the ones that come with the program."""

    layouts: Path | None = None
    profiles: Path | None = None
    noemie: Path | None = None
    professions: Path | None = None


ConventionsSection = checked_dataclass(Conventions, config=ConfigDict(extra="forbid"), frozen=True)
"""What the public record leaves open (assumptions A1 to A16), as the domain knows it."""


class Settings(_Section):
    """The whole tree."""

    oct: OctSection = OctSection()
    smtp: SmtpSection = SmtpSection()
    delivery: DeliverySection = DeliverySection()
    store: StoreSection = StoreSection()
    keys: KeysSection = KeysSection()
    certificates: CertificatesSection = CertificatesSection()
    clear: ClearSection = ClearSection()
    opening: OpeningSection = OpeningSection()
    worker: WorkerSection = WorkerSection()
    formats: FormatsSection = FormatsSection()
    conventions: ConventionsSection = ConventionsSection()  # type: ignore[valid-type]


class Origin(StrEnum):
    """Where a value comes from."""

    DEFAULT = "défaut"
    FILE = "fichier"
    ENVIRONMENT = "environnement"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, the file they were read from (None: defaults alone) and where each key comes from."""

    settings: Settings
    path: Path | None
    origins: Mapping[tuple[str, str], Origin]


def load(path: Path | None, environment: Mapping[str, str]) -> Loaded:
    """Reads the file, then the environment over it. ConfigurationError names every key at fault, one a line."""
    in_file = _read_file(path) if path is not None else {}
    in_environment = _read_environment(environment)
    merged = {name: {**_table(in_file, name), **_table(in_environment, name)} for name in {*in_file, *in_environment}}
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise _invalid(error) from None
    settings = _anchored(settings, path.parent if path is not None else Path())
    origins = {(section, key): Origin.FILE for section in in_file for key in _table(in_file, section)}
    origins |= {
        (section, key): Origin.ENVIRONMENT for section in in_environment for key in _table(in_environment, section)
    }
    return Loaded(settings, path, origins)


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
    found: dict[str, dict[str, str]] = {}
    for name, value in environment.items():
        section, separator, key = name.removeprefix(ENVIRONMENT_PREFIX).partition("__")
        if name.startswith(ENVIRONMENT_PREFIX) and separator:
            found.setdefault(section.lower(), {})[key.lower()] = value
    return found


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, Mapping):
        raise ConfigurationError("config-invalide", f"{name} doit être une table : [{name}].")
    return table


def _invalid(error: ValidationError) -> ConfigurationError:
    faults = []
    for fault in error.errors(include_input=False, include_url=False):
        section, *rest = (str(part) for part in fault["loc"])
        key = ".".join(rest)
        message = "clé inconnue" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
        faults.append(f"[{section}] {key} : {message}")
    return ConfigurationError("config-invalide", "Configuration : " + " ; ".join(faults))


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Relative paths, and the path of a SQLite file, taken from the folder of the configuration."""
    changed: dict[str, _Section] = {}
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if not isinstance(section, _Section):
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
