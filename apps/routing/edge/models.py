"""`GET /v1/models` and `/v1/models/{id}`: what this key may call, in OpenAI's form, or Anthropic's for its callers."""

from typing import Any, Final
from urllib.parse import unquote

import msgspec

from apps.routing.edge import echo_script
from apps.routing.edge.book import ModelRecord
from apps.routing.edge.books import Books
from apps.routing.edge.plan import ModelNotFound
from apps.routing.edge.prices import FREE, Price
from brokle.edge.http import JSON, Request

_PREFIX: Final = "/v1/models/"
_ANTHROPIC: Final = b"anthropic-version"
_UNKNOWN_DATE: Final = "1970-01-01T00:00:00Z"
_PICOS_PER_USD_PER_MTOK: Final = 1_000_000


class Models:
    def __init__(self, books: Books) -> None:
        self._books = books

    async def list_models(self, request: Request) -> None:
        found = list(self._of(request).values())
        listed: dict[str, Any] = {"object": "list", "data": found}
        if _ANTHROPIC in request.headers:
            ends = {"first_id": found[0]["id"], "last_id": found[-1]["id"]} if found else {}
            listed = {"data": [_as_anthropic(model) for model in found], "has_more": False, **ends}
        await request.reply(200, msgspec.json.encode(listed), JSON)

    async def get_model(self, request: Request) -> None:
        name = unquote(request.path.removeprefix(_PREFIX))
        found = self._of(request).get(name)
        if found is None:
            raise ModelNotFound(name)
        found = _as_anthropic(found) if _ANTHROPIC in request.headers else found
        await request.reply(200, msgspec.json.encode(found), JSON)

    def _of(self, request: Request) -> dict[str, dict[str, Any]]:
        principal = request.principal
        named = self._books.of(principal.project_id).names()
        found = [_described(name, owner, model) for name, owner, model in named]
        found += [_described(f"echo/{name}", "echo", ModelRecord(name, name, FREE)) for name in echo_script.NAMES]
        allowed = principal.allowed_models
        return {model["id"]: model for model in found if not allowed or model["id"] in allowed}


def _described(name: str, owner: str, model: ModelRecord | None) -> dict[str, Any]:
    """A route has no price of its own: its targets do."""
    about = {"provider": owner, "context": (model.context or None) if model else None, "price": _price(model)}
    return {"id": name, "object": "model", "created": 0, "owned_by": owner, "brokle": about}


def _as_anthropic(model: dict[str, Any]) -> dict[str, Any]:
    name, ours = model["id"], model["brokle"]
    about = {"display_name": name, "created_at": _UNKNOWN_DATE, "lifecycle": "active"}
    return {"type": "model", "id": name, **about, "max_input_tokens": ours["context"], "brokle": ours}


def _price(model: ModelRecord | None) -> dict[str, float] | None:
    if model is None:
        return None
    price: Price = model.price
    return {
        "input_usd_per_mtok": price.input / _PICOS_PER_USD_PER_MTOK,
        "output_usd_per_mtok": price.output / _PICOS_PER_USD_PER_MTOK,
    }
