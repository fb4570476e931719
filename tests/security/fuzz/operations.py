"""The operations of the management API as its own document tells them."""

from dataclasses import dataclass
from typing import Any

from brokle.web.schema import openapi

# What makes a body one that is served; any other field is filled by its type.
_GOOD = {
    "email": "new@idor.example",
    "password": "a-long-enough-password",
    "new_password": "another-long-password",
    "url": "https://93.184.216.34/hook",
    "role": "viewer",
    "scopes": ["gateway"],
    "event_types": ["key.created"],
    "event": "key.created",
    "allowed_models": ["echo/fast"],
    "allowed_ips": ["192.0.2.0/24"],
    "allowed_origins": ["https://app.noor.example"],
    "expires_at": "2099-01-01T00:00:00Z",
    "time_zone": "UTC",
    "user_id": "{target_id}",
    "slug": "a-new-one",
    "plan": "free",
    "kind": "openai-compatible",
    "base_url": "https://93.184.216.34/v1",
    "environment_id": "{environment_id}",
    "credential_id": "{credential_id}",
    "model": "noors-own/noors-model",
    "targets": [{"model": "echo/fast"}],
    "since": "2026-01-01T00:00:00Z",
    "until": "2026-01-02T00:00:00Z",
    "at": "2026-01-01T00:00:00Z",
}
_GOOD_OF = {
    "/api/v1/limits": {"is_soft": False},
    "/api/v1/limits/{limit_id}": {"is_soft": False},
    "/api/v1/routes": {"retries": 1, "shadow": {"model": "echo/fast"}, "fallback_on": ["timeout"]},
    "/api/v1/routes/{route_id}": {"retries": 1, "shadow": {"model": "echo/fast"}},
    "/api/v1/routes/{route_id}/rollback": {"version": 1},
    "/api/v1/providers/{provider_id}/test": {"model": "noors-model"},
}
# OpenAPI gives the body of a DELETE no meaning, so the document is silent about these.
_ALSO = {
    ("delete", f"/api/v1/auth/{name}"): {"password": _GOOD["password"]}
    for name in ("me", "mfa/totp", "mfa/passkeys/{id}")
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`body` is one that may be served, None where the operation takes none."""

    method: str
    path: str
    parts: tuple[str, ...]
    queries: tuple[str, ...]
    body: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> list[Operation]:
    found = []
    for path, item in openapi()["paths"].items():
        for method, operation in item.items():
            parameters = operation.get("parameters", [])
            found.append(
                Operation(
                    method.upper(),
                    path,
                    tuple(p["name"] for p in parameters if p["in"] == "path"),
                    tuple(p["name"] for p in parameters if p["in"] == "query"),
                    _ALSO.get((method, path)) or _body_of(path, operation),
                )
            )
    return found


def _body_of(path: str, operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return None
    schema = _resolved(next(iter(content.values()))["schema"])
    found = {name: _example(name, _resolved(field)) for name, field in schema.get("properties", {}).items()}
    return found | {name: value for name, value in _GOOD_OF.get(path, {}).items() if name in found}


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = openapi()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return _resolved(found)
    for choice in (*schema.get("allOf", ()), *schema.get("oneOf", ())):
        return _resolved(choice)
    return schema


def _example(name: str, schema: dict[str, Any]) -> Any:
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if name in _GOOD and kind in {"string", "array"}:
        return _GOOD[name]
    if schema.get("enum"):
        return schema["enum"][0]
    return {"integer": 60, "boolean": True, "array": [], "object": {}, "number": 1.5}.get(kind, "something")
