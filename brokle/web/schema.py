"""The OpenAPI 3.1 of the management API, made from its views."""

import hashlib
import json
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from brokle.web.idempotency import HEADER

_API = "/api/v1/"
_PROBLEM_OF = {
    "400": "The request cannot be understood.",
    "401": "The key or session is missing, wrong, expired or revoked.",
    "403": "The key lacks the scope, or the role does not include this.",
    "404": "There is nothing here for this caller.",
    "409": "It conflicts with what is there, or the same idempotency key is still running.",
    "422": "Some values are not valid; see `errors`.",
    "429": "Too many requests; wait as `retry-after` says.",
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; decide by this one."},
        "request_id": {"type": "string"},
        "field": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": True},
    },
}


class ApiSchema(AutoSchema):
    """Adds what our endpoints declare in their own way: filters, places and idempotency keys."""

    def get_override_parameters(self) -> list[Any]:
        found = list(super().get_override_parameters())
        if self.method == "POST":
            meaning = "Any unique text up to 255 characters; the first answer is kept for 24 hours and replayed."
            found.append(OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, description=meaning))
        if getattr(self.view, "action", "") == "list":
            for declared in getattr(self.view, "filters", ()):
                choices = list(declared.choices) or None
                found.append(OpenApiParameter(declared.name, str, description=declared.meaning, enum=choices))
        return found

    def get_auth(self) -> list[Any]:
        """Where `key_scope` is None no API key is served."""
        found: list[Any] = super().get_auth()
        if getattr(self.view, "key_scope", "admin") is None:
            return [one for one in found if ApiKeyScheme.name not in one]
        return found

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix(_API).split("/", 1)[0]]


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "brokle.web.authentication.ApiKeyAuthentication"
    name = "api_key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        text = "An API key with the scope the operation needs: `Authorization: Bearer bk_…`."
        return {"type": "http", "scheme": "bearer", "description": text}


class BearerPersonScheme(OpenApiAuthenticationExtension):
    target_class = "brokle.web.authentication.BearerPersonAuthentication"
    name = "personal_token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        text = "A personal access token or an access token of `/api/v1/auth/login`: `Authorization: Bearer …`."
        return {"type": "http", "scheme": "bearer", "description": text}


class PersonScheme(OpenApiAuthenticationExtension):
    target_class = "brokle.web.authentication.PersonAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        text = "The console's session; unsafe methods send `X-CSRFToken` too."
        return {"type": "apiKey", "in": "cookie", "name": "brokle_session", "description": text}


def only_management(endpoints: list[Any], **more: Any) -> list[Any]:
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(_API)]


def add_problems(result: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Every operation may refuse, and always in the same form."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["responses"] = {f"Problem{status}": _refusal(text) for status, text in _PROBLEM_OF.items()}
    for path, item in result["paths"].items():
        for method, operation in item.items():
            for answer in operation["responses"].values():
                answer["description"] = answer.get("description") or "Done."
            for status in _refusals(path, method):
                operation["responses"].setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})
    return result


def _refusals(path: str, method: str) -> list[str]:
    found = ["400", "401", "403", "429"]
    if "{" in path:
        found.append("404")
    if method in {"post", "put", "patch"}:
        found += ["409", "422"]
    return sorted(found)


def _refusal(text: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": text, "content": content}


@lru_cache(maxsize=1)
def openapi() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


@lru_cache(maxsize=1)
def openapi_json() -> bytes:
    return json.dumps(openapi(), ensure_ascii=False, indent=2, default=str).encode()


@require_safe
def show_schema(request: HttpRequest) -> HttpResponse:
    body = openapi_json()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == etag:
        return HttpResponse(status=304, headers={"etag": etag})
    return HttpResponse(body, content_type="application/vnd.oai.openapi+json", headers={"etag": etag})
