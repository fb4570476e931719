"""From the name a caller asked for to the upstreams to try, in order."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf
from typing import Final

from apps.routing.edge.book import BookRecord, LimitRecord, ModelRecord, ProviderRecord
from apps.routing.edge.conditions import Facts
from apps.routing.edge.doors import Door
from apps.routing.edge.route import USUAL_CAUSES, Route
from apps.routing.edge.strategies import Candidate
from apps.routing.edge.upstreams import EchoUpstream, Upstream
from apps.routing.edge.workshop import Workshop
from brokle.kernel.errors import NotFound

DEFAULT_TIMEOUT_S: Final = 600.0
_ECHO: Final = "echo"
_UNLISTED_MAX: Final = 256


class ModelNotFound(NotFound):
    code, title = "model_not_found", "There is no such model"

    def __init__(self, name: str) -> None:
        super().__init__(f"The model `{name[:200]}` does not exist or this key may not use it", field="model")


class NothingFits(NotFound):
    code, status, title = "no_target_fits", 400, "No target of this route takes this call"


class Plan:
    """Whom to ask, in this order; `causes` are the failures after which the next one is asked.

    `own_keys` are those that the caller brought, by provider: there no other is used. `is_hurried`: the caller waits
    for less long than the route would. `patience` is how long an attempt at an upstream may take to begin to answer,
    where that is less than the whole call may take.
    """

    __slots__ = (
        "causes",
        "hedge_after_s",
        "is_hurried",
        "limits",
        "own_keys",
        "patience",
        "retries",
        "route",
        "shadow",
        "strategy",
        "timeout_s",
        "upstreams",
        "version",
    )

    def __init__(self, upstreams: list[Upstream], route: Route | None = None) -> None:
        self.upstreams = upstreams
        self.limits: Sequence[LimitRecord] = ()
        self.own_keys: Mapping[str, str] = {}
        self.patience: Mapping[Upstream, float] = {}
        self.route = self.strategy = ""
        self.version = self.retries = 0
        self.timeout_s = DEFAULT_TIMEOUT_S
        self.is_hurried = False
        self.hedge_after_s = 0.0
        self.causes: Sequence[str] = USUAL_CAUSES
        self.shadow = ""
        if route is not None:
            record, settings = route.record, route.settings
            self.route, self.version, self.strategy = route.name, record.version, record.strategy
            self.retries = record.retries
            self.timeout_s = record.timeout_ms / 1000 if record.timeout_ms else DEFAULT_TIMEOUT_S
            self.causes = settings.fallback_on
            self.hedge_after_s = settings.hedge_after_ms / 1000
            self.shadow = settings.shadow.model if settings.shadow is not None and route.mirrors() else ""


class _Shelf:
    """A provider's models. Upstreams are made when first asked for and live as long as the book."""

    __slots__ = ("_doors", "_made", "_workshop", "models", "record")

    def __init__(self, record: ProviderRecord, workshop: Workshop) -> None:
        self.record = record
        self.models = {model.name: model for model in record.models}
        self._doors: list[Door] | None = None
        self._made: OrderedDict[str, Upstream] = OrderedDict()
        self._workshop = workshop

    def nameless(self) -> Upstream:
        """The provider itself, for what is asked of no model."""
        if self._doors is None:
            self._doors = self._workshop.doors(self.record)
        return self._workshop.upstream(self.record, ModelRecord("", ""), self._doors)

    def find(self, name: str) -> Upstream | None:
        made = self._made.get(name)
        if made is not None:
            return made
        model = self.models.get(name)
        if model is None and not self.record.is_open:
            return None
        if self._doors is None:
            self._doors = self._workshop.doors(self.record)
        described = self._workshop.described(self.record, name, model)
        found = self._made[name] = self._workshop.upstream(self.record, described, self._doors)
        if len(self._made) > len(self.models) + _UNLISTED_MAX:
            self._made.popitem(last=False)
        return found


class Book:
    """A project's routes, providers and models, ready to be asked."""

    __slots__ = ("_limits", "_records", "_routes", "_shelves", "allows_own_keys")

    def __init__(self, record: BookRecord, workshop: Workshop) -> None:
        self._shelves = {provider.name: _Shelf(provider, workshop) for provider in record.providers}
        self._limits = record.limits
        self.allows_own_keys = record.allows_own_keys
        self._records = {route.name: route for route in record.routes}
        self._routes: dict[str, Route] = {}

    def route(self, name: str) -> Route | None:
        found = self._routes.get(name)
        if found is None and name in self._records:
            found = self._routes[name] = Route(self._records[name], self.find)
        return found

    def plan(self, name: str, facts: Callable[[], Facts]) -> Plan:
        """A route's name comes first, then `provider/model`, then a model that some provider lists."""
        found = self._planned(name, facts)
        found.limits = self._limits
        return found

    def _planned(self, name: str, facts: Callable[[], Facts]) -> Plan:
        route = self.route(name)
        if route is not None:
            return self._along(route, facts())
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

    def has_provider(self, name: str) -> bool:
        return name in self._shelves

    def keepers(self, allowed: Collection[str]) -> list[Upstream]:
        """Providers that keep answers; to who may call only some models, those whose models these are."""
        found = [shelf.nameless() for shelf in self._shelves.values()]
        reached = {upstream.provider for name in allowed for upstream in self._reached(name)}
        return [up for up in found if up.keeps_answers and (not allowed or up.provider in reached)]

    def _reached(self, name: str) -> list[Upstream]:
        record = self._records.get(name)
        named = [name] if record is None else [target.model for target in record.targets]
        return [upstream for one in named if (upstream := self.find(one)) is not None]

    def names(self) -> list[tuple[str, str, ModelRecord | None]]:
        """Everything that can be asked for by name: routes, then each provider's models."""
        routes = [(name, "brokle", None) for name in self._records]
        models = [
            (f"{shelf}/{m.name}", shelf, m) for shelf, held in self._shelves.items() for m in held.models.values()
        ]
        return [*routes, *models]

    @staticmethod
    def _along(route: Route, facts: Facts) -> Plan:
        if route.is_empty:
            raise ModelNotFound(route.name)
        chosen = route.choose(facts)
        if not chosen:
            raise NothingFits(f"No target of `{route.name}` has conditions that this call meets", field="model")
        found = Plan([candidate.upstream for candidate in chosen], route)
        found.patience = _patience(chosen)
        return found


def _patience(chosen: Sequence[Candidate]) -> dict[Upstream, float]:
    """Where a model stands twice among those that fit, the longer deadline counts, and none at all is the longest."""
    found: dict[Upstream, float] = {}
    for upstream, _weight, patience_s in chosen:
        found[upstream] = max(patience_s or inf, found.get(upstream, 0.0))
    return {upstream: patience_s for upstream, patience_s in found.items() if patience_s < inf}


NO_BOOK: Final = BookRecord("")
