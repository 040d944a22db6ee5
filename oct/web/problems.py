"""What the API answers when something is refused or fails: a problem of RFC 9457, with French sentences.

`type` and `code` are for programs and stay; `detail` is for people. `erreurs` names the values that are wrong, never
what they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"
_SHOWN = 100
"""Signs of a field's name, and faults of one request."""


class Fault(BaseModel):
    """Une valeur qui n'est pas correcte."""

    model_config = ConfigDict(extra="forbid")

    champ: str = Field(description="Où elle est.", examples=["suite"])
    raison: str = Field(description="Ce qui ne va pas.", examples=["Forme incorrecte."])


class Problem(BaseModel):
    """Un refus ou un échec (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="Le code, comme URN.", examples=["urn:oct:probleme:inconnu"])
    title: str = Field(description="Le genre de refus.", examples=["Rien n'existe sous cette adresse."])
    status: int = Field(description="Le statut HTTP.", examples=[404])
    detail: str = Field(description="Ce qui ne va pas, en français.", examples=["Rien n'existe sous cette adresse."])
    code: str = Field(description="Pour les programmes ; stable.", examples=["inconnu"])
    erreurs: list[Fault] = Field(default=[], description="Les valeurs en cause, quand il y en a.")


TITLES: Mapping[int, str] = {
    400: "La demande n'est pas correcte.",
    401: "Un jeton en service est demandé.",
    403: "Ce jeton n'a pas le droit de faire cela.",
    404: "Rien n'existe sous cette adresse.",
    405: "Cette adresse ne se demande pas ainsi.",
    408: "La demande n'est pas arrivée à temps.",
    409: "C'est déjà décidé.",
    413: "La demande est trop volumineuse.",
    422: "Une valeur donnée n'est pas correcte.",
    429: "Trop de demandes à la fois.",
    500: "Une erreur inattendue s'est produite ; elle est notée dans le journal du programme.",
    503: "Le service est momentanément indisponible : réessayez dans un instant.",
}

_AGAIN = {429: "1", 503: "5"}
"""When to come back, in seconds."""


def problem(status: int, detail: str = "", *, code: str = "", faults: Iterable[Fault] = ()) -> JSONResponse:
    """The answer for a status; `detail` where its title says too little."""
    title = TITLES.get(status, TITLES[400])
    name = code or ("inconnu" if status == 404 else f"http-{status}")
    told = Problem(
        type=f"urn:oct:probleme:{name}",
        title=title,
        status=status,
        detail=detail or title,
        code=name,
        erreurs=list(faults),
    )
    headers = {"Retry-After": _AGAIN[status]} if status in _AGAIN else None
    return JSONResponse(told.model_dump(), status_code=status, headers=headers, media_type=MEDIA_TYPE)


def faults_of(errors: Iterable[Mapping[str, Any]]) -> list[Fault]:
    """What FastAPI found wrong, in French, without the values."""
    return [
        Fault(champ=".".join(map(str, error["loc"][1:]))[:_SHOWN] or str(error["loc"][0]), raison=_reason(error))
        for error, _ in zip(errors, range(_SHOWN), strict=False)
    ]


_REASONS = {
    "missing": "Valeur absente.",
    "extra_forbidden": "Champ inconnu.",
    "json_invalid": "JSON incorrect.",
    "string_pattern_mismatch": "Forme incorrecte.",
    "value_error": "Valeur vide, ou signe interdit.",
}


def _reason(error: Mapping[str, Any]) -> str:
    kind, limits = str(error["type"]), error.get("ctx", {})
    match kind:
        case "string_too_long":
            return f"{limits['max_length']} signes au plus."
        case "string_too_short":
            return f"{limits['min_length']} signes au moins."
        case "greater_than_equal":
            return f"Au moins {limits['ge']}."
        case "less_than" | "less_than_equal":
            return "Trop grand."
        case "enum" | "literal_error":
            return f"Attendu : {str(limits['expected']).replace(' or ', ' ou ')}."
    if kind in _REASONS:
        return _REASONS[kind]
    for what, said in (
        ("int", "Nombre entier attendu."),
        ("bool", "true ou false attendu."),
        ("str", "Texte attendu."),
    ):
        if kind.startswith(what):
            return said
    return "Valeur incorrecte."
