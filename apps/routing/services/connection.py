"""Is a provider there, and does it take this key: a real call through the one way out, told in clear words."""

import json
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from django.db import transaction

from apps.routing.edge.dialects.azure.dialect import is_dated, is_token, place_of
from apps.routing.edge.dialects.azure.entra import find_application
from apps.routing.models import Credential, Provider
from apps.routing.selectors.catalogue import find_provider
from apps.routing.selectors.credentials import open_secret
from apps.routing.selectors.providers import address_of, auth_of, dialect_of
from apps.routing.services.records import record
from brokle.edge.egress.door import Door, Fetched, operator_door
from brokle.edge.egress.limits import Limits
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import BrokleError, Conflict, Invalid

_LIMITS: Final = Limits(connect_s=5, first_byte_s=20, total_s=30)
_ANSWER_BYTES: Final = 2_000_000
_WORDS: Final = 300
_ANTHROPIC_VERSION: Final = "2023-06-01"
_SIGNED: Final = frozenset({"bedrock", "vertex"})
_HEADERS_OF: Final = {
    "bearer": ("authorization", "Bearer {}"),
    "token": ("authorization", "Token {}"),
    "key": ("authorization", "Key {}"),
    "api-key-scheme": ("authorization", "Api-Key {}"),
    "authorization": ("authorization", "{}"),
}
_LISTS: Final = {"ollama": "/api/tags", "replicate": "/account", "cohere": "/v1/models"}
_MEANING: Final = {
    401: "The provider refuses this key",
    402: "The provider says that nothing is left to pay with",
    403: "The provider does not allow this with this key",
    404: "The provider has nothing at this address; check `base_url`, and the model where one was asked for",
    429: "The provider is reached and takes the key, but its rate limit is used up",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one call found out. `models` counts those that the provider lists, where it was asked for them."""

    is_ok: bool
    latency_ms: int
    status: int = 0
    code: str = ""
    detail: str = ""
    models: int | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


def check_connection(
    *,
    provider: Provider,
    credential: Credential | None,
    actor: Actor,
    model: str = "",
    door: Door | None = None,
    clock: Clock = utc_now,
) -> Finding:
    """Asks for the list of models, or with a model for a single token of it. Costs a token at most."""
    secret = open_secret(credential) if credential else ""
    if not secret and auth_of(provider.kind) != "none" and not _takes_none(provider):
        raise Conflict("This provider has no key yet; add one first")
    finding = _asked(_question(provider, secret, model), secret, door or operator_door())
    with transaction.atomic():
        provider.checked_at, provider.check_ms, provider.check_error = clock(), finding.latency_ms, finding.code
        provider.save(update_fields=["checked_at", "check_ms", "check_error"])
        after = {"is_ok": finding.is_ok, "status": finding.status, "code": finding.code}
        record(provider.organization_id, actor, "provider.tested", provider.id, after=after)
    return finding


def _takes_none(provider: Provider) -> bool:
    """A server of one's own may ask for no key."""
    facts = find_provider(provider.kind)
    return facts is None or not facts.env


def _question(provider: Provider, secret: str, model: str) -> _Question:
    dialect, base = dialect_of(provider.kind), address_of(provider).rstrip("/")
    if dialect in _SIGNED:
        raise Invalid("This provider's calls are signed; test it with a request through the gateway")
    headers = {"accept": "application/json", "user-agent": "brokle", **_key_header(provider, secret)}
    if dialect == "anthropic":
        headers["anthropic-version"] = _ANTHROPIC_VERSION
    if dialect == "azure":
        return _of_azure(base, provider.options, secret, model, headers)
    if not model:
        return _Question("GET", f"{base}{_LISTS.get(dialect, '/models')}", headers)
    path, body = _one_token(dialect, model)
    headers["content-type"] = "application/json"
    return _Question("POST", f"{base}{path}", headers, json.dumps(body).encode())


def _of_azure(base_url: str, options: dict[str, str], secret: str, model: str, headers: dict[str, str]) -> _Question:
    if find_application(secret) is not None:
        raise Invalid("This provider's tokens are fetched by the gateway; test it with a request through it")
    base, edition = place_of(base_url, options)
    query = "" if edition == "v1" else f"?api-version={edition}"
    if not is_dated(edition):
        base += "/v1"
    if not model:
        return _Question("GET", f"{base}/models{query}", headers)
    path, body = _one_token("openai", model)
    if is_dated(edition):
        path = f"/deployments/{quote(model, safe='')}{path}"
    headers["content-type"] = "application/json"
    return _Question("POST", f"{base}{path}{query}", headers, json.dumps(body).encode())


def _one_token(dialect: str, model: str) -> tuple[str, dict[str, Any]]:
    said = [{"role": "user", "content": "Hi"}]
    if dialect == "anthropic":
        return "/messages", {"model": model, "max_tokens": 1, "messages": said}
    if dialect == "gemini":
        wish = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 1}}
        return f"/models/{quote(model, safe='')}:generateContent", wish
    if dialect == "cohere":
        return "/v2/chat", {"model": model, "max_tokens": 1, "messages": said}
    if dialect == "ollama":
        return "/api/chat", {"model": model, "stream": False, "options": {"num_predict": 1}, "messages": said}
    if dialect == "replicate":
        raise Invalid("This provider has no call of a single token; test it without a model", field="model")
    return "/chat/completions", {"model": model, "max_tokens": 1, "messages": said}


def _key_header(provider: Provider, secret: str) -> dict[str, str]:
    if not secret:
        return {}
    auth = "bearer" if dialect_of(provider.kind) == "azure" and is_token(secret) else auth_of(provider.kind)
    name, form = _HEADERS_OF.get(auth, (auth, "{}"))
    return {name: form.format(secret)}


def _asked(question: _Question, secret: str, door: Door) -> Finding:
    began = time.perf_counter()
    try:
        answer = door.fetch(
            question.method,
            question.url,
            headers=tuple(question.headers.items()),
            body=question.body,
            limits=_LIMITS,
            first_bytes=_ANSWER_BYTES,
        )
    except BrokleError as error:
        return Finding(is_ok=False, latency_ms=_since(began), code=error.code, detail=error.detail)
    return _judged(answer, secret, _since(began))


def _judged(answer: Fetched, secret: str, latency_ms: int) -> Finding:
    content = _parsed(answer.body)
    if 200 <= answer.status < 300 and content is not None:
        return Finding(is_ok=True, latency_ms=latency_ms, status=answer.status, models=_count(content))
    if 200 <= answer.status < 300:
        words = "Something answers at this address, but not with JSON; check `base_url`"
        return Finding(is_ok=False, latency_ms=latency_ms, status=answer.status, code="not_an_api", detail=words)
    meaning = _MEANING.get(answer.status, "The provider answers with an error")
    said = _words_of(content).replace(secret, "…") if secret else _words_of(content)
    detail = f"{meaning} ({answer.status}){': ' + said if said else ''}"
    return Finding(
        is_ok=False, latency_ms=latency_ms, status=answer.status, code=f"upstream_{answer.status}", detail=detail
    )


def _words_of(content: Any) -> str:
    """The provider's own sentence, wherever it put it."""
    found = content.get("error", content) if isinstance(content, dict) else ""
    if isinstance(found, dict):
        found = found.get("message") or found.get("detail") or found.get("msg") or ""
    text = found if isinstance(found, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_WORDS]


def _count(content: Any) -> int | None:
    listed = content if isinstance(content, list) else None
    if isinstance(content, dict):
        listed = next((content[name] for name in ("data", "models") if isinstance(content.get(name), list)), None)
    return len(listed) if listed is not None else None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)
