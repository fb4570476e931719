"""docs/API.md: the management API and `/ws` in one page, made from the schema."""

from collections.abc import Iterator

from brokle.web.api_reference import Operation, Value, sections

_HEAD = """# Management API

Made by `make docs-generate`; do not edit. The same, clickable, is `/api/docs/` of every installation; for programs it is
`/api/schema/` (OpenAPI 3.1) or `brokle openapi`.

## Rules of all of it

- **Who calls.** An API key with the scope an operation needs (`admin` unless told): `Authorization: Bearer bk_…`, or
  `x-api-key`. A key stands in its own environment. A person's session works too, with `X-CSRFToken` on unsafe methods
  and `?environment=env_…` where an operation is about an environment. Wrong or missing key 401, right key without scope
  403, another tenant's object 404.
- **Errors** are RFC 9457 problems (`application/problem+json`); decide by `code`, quote `request_id`.
- **Lists** are cursor pages: `?limit=` (1 to 200, default 50) and `?cursor=`, the `next_cursor` of the page before. Pages
  stay stable while rows are inserted. Filters are those listed; an unknown query parameter is 400.
- **`Idempotency-Key`** (1 to 255 printable ASCII characters) on every POST: the work and its answer commit together, and
  the same request with the same key gets the first answer again for 24 hours, marked `idempotency-replayed: true`.
  Another body or address under the same key is 422 `idempotency_key_reuse`; while the first still runs it is 409 with
  `retry-after`. What was refused before the work began (a malformed or invalid body) is not kept, nor is a 429 or 5xx.
- **Limits.** A key's requests a minute are counted once for this API and the gateway; 429 carries `retry-after`.
"""

_LIVE = """## Live updates: `/ws`

A WebSocket with the console's session cookie, `Authorization: Bearer <token>`, or the subprotocols `bearer, <token>` for
browsers. A page of another origin is closed with **4403**, a caller without a valid identity with **4401**; so is one whose session ends.

| you send | you get |
|---|---|
| `{"type": "subscribe", "room": "requests:env_…"}` | `{"type": "subscribed", "room": …}`, or `{"type": "error", "room": …, "detail": …}` when there is no such room for you |
| `{"type": "unsubscribe", "room": …}` | `{"type": "unsubscribed", "room": …}` |
| `{"type": "ping"}` | `{"type": "pong"}` |
| `{"type": "pong"}` | nothing; it answers the server's `{"type": "ping"}` |

Events arrive as `{"type": event, "room": …, "data": {…}, "id": "ntc_…"}`: `metrics.updated`, `usage.threshold`,
`routing.decision`, `trace.created`, `deployment.updated`, `flag.changed`, `system.alert`, and in your own
room `notifications:usr_…` `notification.created` and `notification.read`. They are notices, never the record
of anything: after a reconnect read the current state through the API.

A client that is silent for too long is closed with **4408**. One that reads too slowly is closed with **1013** and should
come back and read anew; others are not delayed by it. At most 50 rooms a connection; frames of at most 4,096 characters.
"""


def api_document() -> str:
    parts = [_HEAD]
    for section in sections():
        parts.append(f"## {section.name.replace('-', ' ').capitalize()}\n")
        parts.extend("\n".join(_operation(operation)) for operation in section.operations)
    parts.append(_LIVE)
    return "\n".join(parts)


def _operation(operation: Operation) -> Iterator[str]:
    yield f"### `{operation.method} {operation.path}`\n"
    yield f"{operation.title}.\n"
    values = [*operation.parameters, *operation.body]
    if values:
        yield "| name | in | type | meaning |\n|---|---|---|---|"
        yield from (_value(value) for value in values)
        yield ""
    yield "Answers: " + "; ".join(f"{status} {meaning.rstrip('.')}" for status, meaning in operation.answers) + ".\n"


def _value(value: Value) -> str:
    required = " (required)" if value.is_required else ""
    kind = value.kind.replace("|", "\\|")
    return f"| `{value.name}`{required} | {value.place} | {kind} | {value.meaning} |"
