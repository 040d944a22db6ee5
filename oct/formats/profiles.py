"""Message profiles as data: what a message is, by its Content-Description (`config/profiles.toml`).

A description has two parts, which say the kind, and perhaps a third, which says what was done to the attachment
(`/K` encrypted, `/ZK` compressed then encrypted). It is matched without case. What matches nothing is None: the
caller quarantines it (O3). A flow that is passed on without being read (SCOR, FLUX) says how it is routed (O2). A bad
file is a `ConfigurationError` that names the table. Source: annex 7.1, assumption A3.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from oct.errors import ConfigurationError
from oct.formats.mime_headers import ADDRESS


class Kind(StrEnum):
    """What the concentrator does with a message."""

    FACTURE = "FACTURE"
    DRE = "DRE"
    ARL = "ARL"
    RSP = "RSP"
    DLOI = "DLOI"
    DDLOI = "DDLOI"
    SCOR = "SCOR"
    FLUX = "FLUX"
    TEXTE = "TEXTE"


OPAQUE = frozenset({Kind.SCOR, Kind.FLUX})
"""What a practitioner sends and nobody here reads (O2)."""
HEADER_ROUTE = "header"
"""The route of a flow whose files name their recipient in their 000 header."""


class Profile(NamedTuple):
    """A message's profile: its table's `name`, its `kind`, the `pattern` it matched, what its third part announces.

    `route` is that of an opaque flow: `header`, the address of an insurer, or empty when the flow is not configured.
    """

    name: str
    kind: Kind
    pattern: str
    compressed: bool
    encrypted: bool
    route: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    kind: Kind
    pattern: str
    parts: tuple[str, str]
    route: str


@dataclass(frozen=True, slots=True)
class _ThirdPart:
    compressed: bool
    encrypted: bool


_NOTHING_DONE = _ThirdPart(compressed=False, encrypted=False)


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles, in the order in which they are tried."""

    rules: tuple[_Rule, ...]
    third_parts: Mapping[str, _ThirdPart]

    @classmethod
    def from_toml(cls, text: str) -> Profiles:
        """Reads the text of a profiles file. ConfigurationError names the table at fault."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(
                "profils-illisibles", f"Le fichier des profils n'est pas du TOML : {error}"
            ) from error
        rules = [rule for name, given in _table(document, "messages").items() for rule in _rules(name, given)]
        thirds = {name.upper(): _third_part(name, given) for name, given in _table(document, "third_part").items()}
        return cls(tuple(rules), thirds)

    def match(self, description: str) -> Profile | None:
        """The profile of a Content-Description, None when nothing is known of it."""
        parts = [part.strip() for part in description.upper().split("/")]
        if not 2 <= len(parts) <= 3:
            return None
        done = self.third_parts.get(parts[2]) if len(parts) == 3 else _NOTHING_DONE
        if done is None:
            return None
        for rule in self.rules:
            if fnmatchcase(parts[0], rule.parts[0]) and fnmatchcase(parts[1], rule.parts[1]):
                return Profile(rule.name, rule.kind, rule.pattern, done.compressed, done.encrypted, rule.route)
        return None


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name)
    if not isinstance(table, dict) or not table:
        raise ConfigurationError("profil-invalide", f"Profils : la table [{name}] manque ou est vide.")
    return table


def _rules(name: str, given: Any) -> list[_Rule]:
    place = f"Profils, table messages.{name}"
    try:
        kind, patterns = Kind(given["kind"]), list(given["patterns"])
    except (KeyError, TypeError, ValueError) as error:
        kinds = ", ".join(Kind)
        raise ConfigurationError(
            "profil-invalide", f"{place} : kind ({kinds}) et patterns (liste) sont attendus."
        ) from error
    route = _route(place, kind, given)
    return [_Rule(name, kind, pattern, _two_parts(place, pattern), route) for pattern in patterns]


def _route(place: str, kind: Kind, given: Mapping[str, Any]) -> str:
    route = given.get("route", "")
    known = isinstance(route, str) and (route in {"", HEADER_ROUTE} or ADDRESS.fullmatch(route) is not None)
    if not known or (route and kind not in OPAQUE):
        raise ConfigurationError(
            "profil-invalide",
            f"{place} : route vaut « {HEADER_ROUTE} » ou l'adresse d'un assureur, et ne vaut que pour SCOR et FLUX.",
        )
    return str(route)


def _two_parts(place: str, pattern: Any) -> tuple[str, str]:
    parts = pattern.upper().split("/") if isinstance(pattern, str) else []
    if len(parts) != 2 or not all(parts):
        raise ConfigurationError(
            "profil-invalide", f"{place} : chaque motif a deux parties séparées par une barre oblique."
        )
    return parts[0], parts[1]


def _third_part(name: str, given: Any) -> _ThirdPart:
    flags = given if isinstance(given, dict) else {}
    compressed, encrypted = flags.get("compressed"), flags.get("encrypted")
    if not isinstance(compressed, bool) or not isinstance(encrypted, bool):
        raise ConfigurationError(
            "profil-invalide", f"Profils, table third_part.{name} : compressed et encrypted valent true ou false."
        )
    return _ThirdPart(compressed, encrypted)
