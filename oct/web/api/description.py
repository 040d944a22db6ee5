"""The description of the API (OpenAPI 3.1), finished: every refusal with its document, an example for every answer.

Takes what FastAPI made of the calls and gives it with the refusals as they really are (RFC 9457) and with examples put
together of those that the fields give.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from oct.web.problems import MEDIA_TYPE, TITLES, Fault, Problem, problem

_ALWAYS = (400, 401, 403, 404, 408, 413, 422, 429, 500, 503)
"""What any call may be answered besides its own."""
_SCHEMAS = "#/components/schemas/"
_JSON = "application/json"


def finished(document: dict[str, Any]) -> dict[str, Any]:
    """The finished description; `document` is changed."""
    parts = document["components"]
    _, problems = models_json_schema(
        [(Problem, "serialization"), (Fault, "serialization")], ref_template=_SCHEMAS + "{model}"
    )
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    parts["schemas"] |= problems["$defs"]
    parts["responses"] = {f"Refus{status}": _refusal(status) for status in TITLES}
    for one in _operations(document):
        _tell_refusals(one)
        _give_examples(one, parts["schemas"])
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def _refusal(status: int) -> dict[str, Any]:
    title, example = TITLES[status], json.loads(bytes(problem(status).body))
    told: dict[str, Any] = {
        "description": title,
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}Problem"}, "example": example}},
    }
    if status == 401:
        told["headers"] = {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}}
    if status in (429, 503):
        told["headers"] = {"Retry-After": {"description": "En secondes.", "schema": {"type": "integer"}}}
    return told


def _tell_refusals(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    for answer in answers.values():
        if answer["description"] == "Successful Response":
            answer["description"] = "Fait."
    for status in sorted({*_ALWAYS, *(int(code) for code in answers if int(code) >= 400)}):
        answers[str(status)] = {"$ref": f"#/components/responses/Refus{status}"}


def _give_examples(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    bodies = [answer.get("content", {}) for answer in operation["responses"].values()]
    for content in (*bodies, operation.get("requestBody", {}).get("content", {})):
        if _JSON in content:
            content[_JSON]["example"] = example_of(content[_JSON]["schema"], schemas)


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """An example of what a schema describes, of the examples that its parts give."""
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(_SCHEMAS)], schemas)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas)
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "array":
        return [example_of(schema["items"], schemas)]
    return {name: example_of(field, schemas) for name, field in schema["properties"].items()}
