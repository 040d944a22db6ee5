"""The settings: `oct.toml` and the environment make one frozen tree, checked whole when the program starts.

Every key has a default and stands, commented, in `config/oct.toml`. The environment wins over the file:
`OCT_SMTP__LISTEN` is `[smtp] listen`. An unknown key is an error, and all faults are reported at once, each with
its key, on a line of its own. Durations are written `30s`, `5m`, `48h`, `5d` and become milliseconds; sizes `25MiB`
become bytes. Relative paths are taken from the folder of the configuration file.

The data files of the program (record layouts, professions…) are found here too: `data_file`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import ErrorDetails

from oct.domain.conventions import Conventions
from oct.errors import ConfigurationError

ENVIRONMENT_PREFIX = "OCT_"
CONFIG_NAME = "oct.toml"
_SECRET = "***"  # noqa: S105 - what is shown in place of one


@dataclass(frozen=True, slots=True)
class Unit:
    """How a measure is written: what each suffix is worth, the smallest first."""

    suffixes: Mapping[str, int]
    example: str

    def read(self, value: object) -> int:
        """The measure in its smallest unit. ValueError says in French what was expected."""
        match = re.fullmatch(r"([0-9]+)\s*([A-Za-z]*)", str(value).strip())
        if match is None or match[2] not in self.suffixes:
            raise ValueError(f"attendu : un nombre et une unité, par exemple {self.example}")
        return int(match[1]) * self.suffixes[match[2]]

    def write(self, value: int) -> str:
        """The shortest writing that `read` gives back."""
        suffix, worth = max(
            (pair for pair in self.suffixes.items() if value % pair[1] == 0), key=lambda pair: pair[1] if value else 0
        )
        return f"{value // worth}{suffix}"


TIME = Unit({"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}, '"48h"')
BYTES = Unit({"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}, '"25MiB"')


def _matching(pattern: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"attendu : {expected}")
        return value

    return AfterValidator(check)


def _separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


_PLACE = r"\[?[A-Za-z0-9.:_-]*\]?:[0-9]{1,5}"
Duration = Annotated[int, BeforeValidator(TIME.read), TIME]
"""Milliseconds."""
Size = Annotated[int, BeforeValidator(BYTES.read), BYTES]
"""Bytes."""
Durations = Annotated[tuple[Duration, ...], BeforeValidator(_separated), TIME]
"""A list; in the environment, separated by commas."""
Address = Annotated[
    str,
    _matching(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+", "une adresse électronique"),
    Field(max_length=254),
]
HostPort = Annotated[str, _matching(_PLACE, "hôte:port, par exemple 127.0.0.1:2525")]
HostPorts = Annotated[tuple[HostPort, ...], BeforeValidator(_separated)]
Relay = Annotated[str, _matching(rf"(?:{_PLACE})?", "hôte:port, ou rien")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OctSection(_Section):
    """Who the concentrator is."""

    number: Annotated[str, _matching("[0-9]{9,14}", "9 à 14 chiffres, entre guillemets")] = "000000000"
    address: Address = "oct@concentrateur.example"
    name: Annotated[str, Field(min_length=1, max_length=60)] = "Concentrateur OCT"
    hostname: str = "localhost"


class SmtpSection(_Section):
    """The door where practitioners and insurers hand in their messages."""

    listen: HostPorts = ("127.0.0.1:2525",)
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

    relay: Relay = ""
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
    regimes: Path | None = None


ConventionsSection = checked_dataclass(Conventions, config=ConfigDict(extra="forbid"), frozen=True)
"""What the public record leaves open (assumptions A1 to A16), as the domain knows it."""
_CONVENTION_LISTS = frozenset(field.name for field in fields(Conventions) if isinstance(field.default, tuple))


def _lists_separated(table: object) -> object:
    if not isinstance(table, Mapping):
        return table
    return {key: _separated(value) if key in _CONVENTION_LISTS else value for key, value in table.items()}


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
    conventions: Annotated[  # type: ignore[valid-type]
        ConventionsSection, BeforeValidator(_lists_separated)
    ] = ConventionsSection()


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
    in_environment = _read_environment(environment)
    settings = _anchored(_checked(in_file, in_environment), path.parent if path is not None else Path())
    origins = {(section, key): Origin.FILE for section in in_file for key in _table(in_file, section)}
    origins |= {
        (section, key): Origin.ENVIRONMENT for section in in_environment for key in _table(in_environment, section)
    }
    return Loaded(settings, path, origins)


def check_text(text: str) -> None:
    """Raises ConfigurationError unless `text` could be a configuration file."""
    _checked(tomllib.loads(text), {})


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


def built_in(name: str) -> str:
    """The text of a data file of the program: beside the package in a checkout, inside it when installed."""
    inside = files("oct") / "config" / name
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).parents[1] / "config" / name).read_text(encoding="utf-8")


def data_file(chosen: Path | None, name: str) -> str:
    """The operator's own file, or the one that comes with the program."""
    if chosen is None:
        return built_in(name)
    try:
        return chosen.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("fichier-illisible", f"[formats] : {chosen} ne peut pas être lu.") from error


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


def _checked(in_file: Mapping[str, Any], in_environment: Mapping[str, Any]) -> Settings:
    names = dict.fromkeys((*in_file, *in_environment))
    try:
        return Settings.model_validate(
            {name: {**_table(in_file, name), **_table(in_environment, name)} for name in names}
        )
    except ValidationError as error:
        faults = "\n".join(_fault(fault) for fault in error.errors(include_input=False, include_url=False))
        raise ConfigurationError("config-invalide", faults) from None


_SENTENCES = {
    "extra_forbidden": "clé inconnue",
    "unexpected_keyword_argument": "clé inconnue",
    "string_type": "un texte entre guillemets est attendu",
    "string_too_short": "un texte non vide est attendu",
    "string_too_long": "{max_length} caractères au plus",
    "int_type": "un nombre entier est attendu",
    "int_parsing": "un nombre entier est attendu",
    "int_from_float": "un nombre entier est attendu",
    "bool_type": "true ou false est attendu",
    "bool_parsing": "true ou false est attendu",
    "path_type": "un chemin entre guillemets est attendu",
    "tuple_type": "une liste est attendue",
    "greater_than_equal": "{ge} au moins",
    "less_than_equal": "{le} au plus",
    "literal_error": "valeurs possibles : {expected}",
    "enum": "valeurs possibles : {expected}",
    "value_error": "{error}",
}
"""What is said of a pydantic fault, by its type; the fields are those of its context."""


def _fault(fault: ErrorDetails) -> str:
    section, *rest = fault["loc"]
    if not rest:
        return f"[{section}] : section inconnue."
    key, *items = rest
    place = f" (élément {int(items[0]) + 1})" if items else ""
    sentence = _SENTENCES.get(fault["type"], fault["msg"]).format(**fault.get("ctx", {})).replace(" or ", " ou ")
    return f"[{section}] {key}{place} : {sentence}."


def _written(value: object, unit: Unit | None) -> str:
    """A value as the file would have it, without quotes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(_written(one, unit) for one in value)
    return unit.write(value) if unit is not None and isinstance(value, int) else str(value)


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
