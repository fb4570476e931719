"""From the name a caller asked for to the upstreams to try, in order."""

import random
from typing import Final

from apps.routing.edge.book import BookRecord, ModelRecord, ProviderRecord, RouteRecord
from apps.routing.edge.upstreams import Door, EchoUpstream, Upstream, Workshop
from brokle.kernel.errors import NotFound

DEFAULT_TIMEOUT_S: Final = 600.0
_ECHO: Final = "echo"


class ModelNotFound(NotFound):
    code, title = "model_not_found", "There is no such model"

    def __init__(self, name: str) -> None:
        super().__init__(f"The model `{name[:200]}` does not exist or this key may not use it", field="model")


class Plan:
    __slots__ = ("retries", "route", "timeout_s", "upstreams")

    def __init__(
        self, upstreams: list[Upstream], *, route: str = "", retries: int = 0, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        self.upstreams = upstreams
        self.route = route
        self.retries = retries
        self.timeout_s = timeout_s


class _Shelf:
    """A provider's models. Upstreams are made when first asked for and live as long as the book."""

    __slots__ = ("_doors", "_made", "_workshop", "models", "record")

    def __init__(self, record: ProviderRecord, workshop: Workshop) -> None:
        self.record = record
        self.models = {model.name: model for model in record.models}
        self._doors: list[Door] | None = None
        self._made: dict[str, Upstream] = {}
        self._workshop = workshop

    def find(self, name: str) -> Upstream | None:
        made = self._made.get(name)
        if made is not None:
            return made
        model = self.models.get(name)
        if model is None and not self.record.is_open:
            return None
        if self._doors is None:
            self._doors = self._workshop.doors(self.record)
        found = self._workshop.upstream(self.record, model or ModelRecord(name, name), self._doors)
        if model is not None:
            self._made[name] = found
        return found


class Book:
    """A project's routes, providers and models, ready to be asked."""

    __slots__ = ("_routes", "_shelves")

    def __init__(self, record: BookRecord, workshop: Workshop) -> None:
        self._shelves = {provider.name: _Shelf(provider, workshop) for provider in record.providers}
        self._routes = {route.name: route for route in record.routes}

    def plan(self, name: str) -> Plan:
        """A route's name comes first, then `provider/model`, then a model that some provider lists."""
        route = self._routes.get(name)
        if route is not None:
            return self._route(route)
        upstream = self.find(name)
        if upstream is None:
            raise ModelNotFound(name)
        return Plan([upstream])

    def find(self, name: str) -> Upstream | None:
        provider, slash, model = name.partition("/")
        shelf = self._shelves.get(provider) if slash else None
        if shelf is not None:
            return shelf.find(model)
        if slash and provider == _ECHO:
            return EchoUpstream(model)
        listed = (shelf for shelf in self._shelves.values() if name in shelf.models)
        return next((found.find(name) for found in listed), None)

    def names(self) -> list[tuple[str, str, ModelRecord | None]]:
        """Everything that can be asked for by name: routes, then each provider's models."""
        routes = [(name, "brokle", None) for name in self._routes]
        models = [
            (f"{shelf}/{m.name}", shelf, m) for shelf, held in self._shelves.items() for m in held.models.values()
        ]
        return [*routes, *models]

    def _route(self, route: RouteRecord) -> Plan:
        found = [(self.find(target.model), target.weight) for target in route.targets]
        weighted = [(upstream, weight) for upstream, weight in found if upstream is not None]
        if not weighted:
            raise ModelNotFound(route.name)
        if route.strategy == "weighted":
            weighted.sort(key=lambda pair: random.random() ** (1 / pair[1]) if pair[1] else -1, reverse=True)  # noqa: S311 - spreads load
        timeout_s = route.timeout_ms / 1000 if route.timeout_ms else DEFAULT_TIMEOUT_S
        upstreams = [upstream for upstream, _ in weighted]
        return Plan(upstreams, route=route.name, retries=route.retries, timeout_s=timeout_s)


NO_BOOK: Final = BookRecord("")
