"""`GET /v1/models` and `/v1/models/{id}`: what this key may call."""

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
_PICOS_PER_USD_PER_MTOK: Final = 1_000_000


class Models:
    def __init__(self, books: Books) -> None:
        self._books = books

    async def list_models(self, request: Request) -> None:
        found = self._of(request)
        await request.reply(200, msgspec.json.encode({"object": "list", "data": list(found.values())}), JSON)

    async def get_model(self, request: Request) -> None:
        name = unquote(request.path.removeprefix(_PREFIX))
        found = self._of(request).get(name)
        if found is None:
            raise ModelNotFound(name)
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


def _price(model: ModelRecord | None) -> dict[str, float] | None:
    if model is None:
        return None
    price: Price = model.price
    return {
        "input_usd_per_mtok": price.input / _PICOS_PER_USD_PER_MTOK,
        "output_usd_per_mtok": price.output / _PICOS_PER_USD_PER_MTOK,
    }
