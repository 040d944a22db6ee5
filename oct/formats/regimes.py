"""The régimes as data: which recipient type stands in the header of a file for each (`config/regimes.toml`).

A bad file is a `ConfigurationError` that names the entry. Source: B2 norm, types of recipients.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from oct.errors import ConfigurationError

_REGIME = re.compile(r"[0-9]{2}")
_TYPE = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Regimes:
    """Two capitals by régime; `default` for those that the table does not name."""

    default: str
    recipient_types: Mapping[str, str]

    @classmethod
    def from_toml(cls, text: str) -> Regimes:
        """Reads `default` and the table `recipient_types`."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(
                "regimes-illisibles", f"Le fichier des régimes n'est pas du TOML : {error}"
            ) from error
        types, default = document.get("recipient_types"), document.get("default")
        if not isinstance(types, dict) or not isinstance(default, str) or not _TYPE.fullmatch(default):
            raise ConfigurationError(
                "regimes-invalides", "Régimes : « default » et la table [recipient_types] sont attendus."
            )
        for regime, recipient_type in types.items():
            if not _REGIME.fullmatch(regime) or not _TYPE.fullmatch(str(recipient_type)):
                raise ConfigurationError(
                    "regimes-invalides", f"Régimes, « {regime} » : deux chiffres et deux lettres majuscules attendus."
                )
        return cls(default, types)

    def recipient_type(self, regime: str) -> str:
        """The type that files for a régime are addressed to."""
        return self.recipient_types.get(regime, self.default)
