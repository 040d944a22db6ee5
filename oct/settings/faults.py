"""What is said of a setting that cannot be used: one French line for each fault that pydantic found."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def told(error: ValidationError) -> str:
    """Every fault, one a line, with its table and its key."""
    return "\n".join(_fault(fault) for fault in error.errors(include_input=False, include_url=False))


_UNKNOWN = "extra_forbidden"
_SENTENCES = {
    _UNKNOWN: "clé inconnue",
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
    sentence = _SENTENCES.get(fault["type"], fault["msg"]).format(**fault.get("ctx", {})).replace(" or ", " ou ")
    if not fault["loc"]:
        return f"Clés qui ne vont pas ensemble : {sentence}."
    section, *rest = fault["loc"]
    if not rest:
        return f"[{section}] : {'table inconnue' if fault['type'] == _UNKNOWN else sentence}."
    key, *items = rest
    place = "".join(f" (élément {item + 1})" if isinstance(item, int) else f" ({item})" for item in items[:1])
    return f"[{section}] {key}{place} : {sentence}."
