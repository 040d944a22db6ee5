"""The types of practitioners as data: two letters and a French label (`config/professions.toml`).

The two letters end the Content-Description of a receipt (`ART/IF`). A bad file is a `ConfigurationError` that
names the entry. Source: annex 7.2.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from oct.errors import ConfigurationError, FormatError

_CODE = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Professions:
    """Labels by code."""

    labels: Mapping[str, str]

    @classmethod
    def from_toml(cls, text: str) -> Professions:
        """Reads the table `types` of a professions file."""
        try:
            types = tomllib.loads(text).get("types")
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(
                "professions-illisibles", f"Le fichier des professions n'est pas du TOML : {error}"
            ) from error
        if not isinstance(types, dict) or not types:
            raise ConfigurationError("profession-invalide", "Professions : la table [types] manque ou est vide.")
        for code, label in types.items():
            if not _CODE.fullmatch(code) or not isinstance(label, str) or not label:
                raise ConfigurationError(
                    "profession-invalide",
                    f"Professions, type {code} : deux lettres majuscules et un libellé sont attendus.",
                )
        return cls(types)

    def known(self, code: str) -> bool:
        """Whether a type exists."""
        return code in self.labels

    def label(self, code: str) -> str:
        """The French label of a type, in the plural. FormatError when the type does not exist."""
        label = self.labels.get(code)
        if label is None:
            raise FormatError("profession-inconnue", "Ce type de praticien n'existe pas.")
        return label
