"""The management API for people: a page and a document, both read from the schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from brokle.web.schema import openapi

_METHODS = ("get", "post", "put", "patch", "delete")
_TONES = {"GET": "", "POST": "accent", "DELETE": "bad"}


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter or a member of a body."""

    name: str
    place: str
    kind: str
    is_required: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    title: str
    meaning: str
    parameters: tuple[Value, ...]
    body: tuple[Value, ...]
    answers: tuple[tuple[str, str], ...]

    @property
    def tone(self) -> str:
        return _TONES.get(self.method, "warn")


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    operations: tuple[Operation, ...]


@lru_cache(maxsize=1)
def sections() -> tuple[Section, ...]:
    schema = openapi()
    found: dict[str, list[Operation]] = {}
    for path, item in schema["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                found.setdefault(operation["tags"][0], []).append(_operation(schema, path, method, operation))
    return tuple(Section(name, tuple(found[name])) for name in sorted(found))


@require_safe
def show_reference(request: HttpRequest) -> HttpResponse:
    info = openapi()["info"]
    return render(request, "api/reference.html", {"sections": sections(), "version": info["version"]})


def _operation(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    summary, _, rest = operation.get("description", "").partition("\n")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        title=operation.get("summary") or summary,
        meaning=rest.strip(),
        parameters=tuple(_parameter(p) for p in operation.get("parameters", [])),
        body=tuple(_members(schema, content.get("schema", {}))),
        answers=tuple(_answers(schema, operation)),
    )


def _parameter(parameter: dict[str, Any]) -> Value:
    return Value(
        parameter["name"],
        parameter["in"],
        _kind({}, parameter.get("schema", {})),
        parameter.get("required", False),
        parameter.get("description", ""),
    )


def _members(schema: dict[str, Any], body: dict[str, Any]) -> Iterator[Value]:
    body = _followed(schema, body)
    required = set(body.get("required", []))
    for name, member in body.get("properties", {}).items():
        if not member.get("readOnly"):
            yield Value(name, "body", _kind(schema, member), name in required, member.get("description", ""))


def _answers(schema: dict[str, Any], operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for status, response in sorted(operation["responses"].items()):
        yield status, _followed(schema, response).get("description", "")


def _followed(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _kind(schema: dict[str, Any], member: dict[str, Any]) -> str:
    member = _followed(schema, member) if schema else member
    if "enum" in member:
        return " | ".join(str(choice) for choice in member["enum"])
    kind = member.get("type", "any")
    if isinstance(kind, list):
        return " | ".join(kind)
    if kind == "array":
        return f"list of {_kind(schema, member.get('items', {}))}"
    return str(member.get("format") or kind)
