"""What a route would do with a call, without making it: asked of the same book and code as the data plane's."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.routing.edge.book import ModelRecord, ProviderRecord, decode_book
from apps.routing.edge.catalogue import OBJECT, Catalogue
from apps.routing.edge.conditions import Facts
from apps.routing.edge.doors import Door
from apps.routing.edge.measures import Measure
from apps.routing.edge.plan import Book
from apps.routing.edge.route import Considered
from apps.routing.edge.upstreams import Upstream
from apps.routing.edge.workshop import Workshop
from apps.routing.models import Route
from apps.routing.selectors.requests import Lately, list_lately
from apps.routing.snapshot import compile_book, compile_catalogue
from brokle.engines.analytics import UnableToQuery
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import Conflict

_LATELY = timedelta(minutes=10)


class DryWorkshop(Workshop):
    """Makes upstreams that are never called: without keys, measured by what the request log says of late."""

    def __init__(self, find: Callable[[str, str], ModelRecord | None], lately: dict[tuple[str, str], Lately]) -> None:
        super().__init__(None, None, find)
        self._lately = lately

    def doors(self, provider: ProviderRecord) -> list[Door]:
        return []

    def upstream(self, provider: ProviderRecord, model: ModelRecord, doors: list[Door]) -> Upstream:
        measure = Measure()
        seen = self._lately.get((provider.name, model.upstream))
        if seen is not None:
            at = time.monotonic()
            measure.ended(at, ttft_s=seen.ttft_ms / 1000, duration_s=seen.latency_ms / 1000)
            measure.used(at, seen.tokens_per_minute)
        return Upstream(provider, model, [], None, measure)


def _lately(organization_id: str, environment_id: str) -> dict[tuple[str, str], Lately]:
    """Where nobody can say how fast they were, strategies choose as they do at a start: blind."""
    until = utc_now()
    try:
        return list_lately(
            organization_id=organization_id, environment_id=environment_id, since=until - _LATELY, until=until
        )
    except UnableToQuery:
        return {}


def _nothing(kind: str, model: str) -> ModelRecord | None:
    return None


def explain_route(*, route: Route, environment_id: str, facts: dict[str, Any]) -> list[Considered]:
    """Facts as the data plane gathers them; what is left out is not known of the call."""
    compiled = compile_book(route.project_id)
    lately = _lately(route.organization_id, environment_id)
    catalogue = compile_catalogue(OBJECT)
    find = Catalogue.of(catalogue).find if catalogue else _nothing
    book = Book(decode_book(compiled or b""), DryWorkshop(find, lately))
    held = book.route(route.name)
    if held is None:
        raise Conflict("The route is being changed; ask again")
    return held.explain(Facts(environment=environment_id, **facts))
