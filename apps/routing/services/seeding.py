"""Two weeks of traffic for the seeded organization: providers, two routes, and what was asked of them, day and night.

The same at every run but for the dates. Rows go where the data plane's go, through the same sink.
"""

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from apps.orgs import facade as orgs
from apps.orgs.contracts import KeyPlace
from apps.routing.edge.prices import Price
from apps.routing.edge.record import AttemptRecord, RequestRecord, encode
from apps.routing.edge.room import ROOM
from apps.routing.edge.usage import Usage
from apps.routing.models import Provider
from apps.routing.selectors.shelves import build_shelves
from apps.routing.services.definitions import read_definition
from apps.routing.services.providers import create_provider
from apps.routing.services.routes import create_route
from brokle.edge.sinks import ClickHouseSink
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.ids import id_of

_SLUG: Final = "noor-health"
_DAYS: Final = 14
_A_DAY: Final = 190
_KINDS: Final = ("openai", "anthropic")
_ROUTES: Final = {
    "assistant": {
        "strategy": "fallback",
        "retries": 1,
        "targets": [{"model": "openai/gpt-4o-mini"}, {"model": "anthropic/claude-haiku-4-5"}],
    },
    "second-opinion": {
        "strategy": "weighted",
        "sticky": "user",
        "targets": [
            {"model": "anthropic/claude-haiku-4-5", "weight": 9},
            {"model": "openai/gpt-4o", "weight": 1, "when": {"tag.ward": ["cardiology", "oncology"]}},
        ],
    },
}
_USERS: Final = ("nurse-huda", "dr-samir", "dr-layla", "triage-bot", "portal")
_WARDS: Final = ("emergency", "cardiology", "pediatrics", "oncology")


@dataclass(frozen=True, slots=True)
class _Habit:
    """What is usually asked of a model: how often, how much in, how much out, how fast."""

    provider: str
    model: str
    route: str
    share: int
    tokens_in: int
    tokens_out: int
    tokens_a_second: int


_HABITS: Final = (
    _Habit("openai", "gpt-4o-mini", "assistant", 58, 900, 220, 90),
    _Habit("anthropic", "claude-haiku-4-5", "second-opinion", 24, 2600, 480, 110),
    _Habit("openai", "gpt-4o", "", 12, 1800, 420, 55),
    _Habit("openai", "text-embedding-3-small", "", 6, 650, 0, 0),
)


def seed_routing(profile: str, *, clock: Clock = utc_now) -> list[str]:
    organization_id = orgs.find_organization_by_slug(slug=_SLUG)
    if organization_id is None or Provider.objects.of(organization_id).exists():
        return []
    keys = [key for key in orgs.list_key_places(organization_id=organization_id) if "gateway" in key.scopes]
    keys = [key for key in keys if key.project_slug == "default"]
    if not keys:
        return []
    for kind in _KINDS:
        create_provider(organization_id=organization_id, project_id=None, actor=SYSTEM, name=kind, kind=kind)
    for name, content in _ROUTES.items():
        definition = read_definition(name, dict(content))
        create_route(
            organization_id=organization_id,
            project_id=keys[0].project_id,
            name=name,
            definition=definition,
            actor=SYSTEM,
        )
    story = _Story(organization_id, keys, clock())
    story.tell()
    return [f"{_SLUG}: {len(_KINDS)} providers, {len(_ROUTES)} routes, {len(story.requests)} requests of two weeks"]


class _Story:
    def __init__(self, organization_id: str, keys: list[KeyPlace], now: datetime) -> None:
        self._organization_id = organization_id
        self._keys = keys
        self._now = now
        self._chance = random.Random(_SLUG)  # noqa: S311 - so that it comes out the same each time
        shelves = build_shelves(now, only=_KINDS)
        self._prices = {
            (habit.provider, habit.model): shelves[habit.provider].models[habit.model].price for habit in _HABITS
        }
        self.requests: list[bytes] = []
        self._attempts: list[bytes] = []

    def tell(self) -> None:
        for day in range(_DAYS, -1, -1):
            for _ in range(_A_DAY):
                at = self._moment(day)
                if at < self._now:
                    self._request(at)
        sink = ClickHouseSink(settings.CLICKHOUSE_URL, ROOM.tables)
        sink.deliver("request", self.requests, f"seed {self._organization_id} requests")
        sink.deliver("attempt", self._attempts, f"seed {self._organization_id} attempts")

    def _moment(self, days_ago: int) -> datetime:
        """Busiest at noon, quiet at night, half as much on a Friday."""
        while True:
            second = self._chance.randrange(86_400)
            at = (self._now - timedelta(days=days_ago)).replace(hour=0, minute=0, second=0, microsecond=0)
            at += timedelta(seconds=second, microseconds=self._chance.randrange(1_000_000))
            busy = 0.15 + 0.85 * max(0.0, math.sin((second / 86_400 - 0.25) * 2 * math.pi))
            if self._chance.random() < busy * (0.5 if at.isoweekday() == 5 else 1.0):
                return at

    def _request(self, at: datetime) -> None:
        habit = self._chance.choices(_HABITS, [habit.share for habit in _HABITS])[0]
        key = self._chance.choices(self._keys, range(len(self._keys), 0, -1))[0]
        usage = Usage(input=self._about(habit.tokens_in), output=self._about(habit.tokens_out))
        usage.cache_read = usage.input // 2 if habit.route and self._chance.random() < 0.3 else 0
        usage.input -= usage.cache_read
        is_stream = habit.tokens_out > 0 and self._chance.random() < 0.6
        ttft_ms = self._chance.lognormvariate(6.0, 0.35)
        latency_ms = ttft_ms + (usage.output / habit.tokens_a_second * 1000 if habit.tokens_a_second else 0.0)
        failed = self._chance.random() < 0.012
        price: Price = self._prices[habit.provider, habit.model]
        record = RequestRecord(
            request_id=self._id("req", at),
            organization_id=self._organization_id,
            project_id=key.project_id,
            environment_id=key.environment_id,
            key_id=key.key_id,
            at=_stamp(at),
            endpoint="chat.completions" if habit.tokens_out else "embeddings",
            model_requested=habit.route or f"{habit.provider}/{habit.model}",
            model=habit.model,
            provider=habit.provider,
            route=habit.route,
            status=429 if failed else 200,
            error_code="upstream_error" if failed else "",
            stream=is_stream,
            attempts=2 if habit.route and self._chance.random() < 0.05 else 1,
            cache="off",
            input_tokens=0 if failed else usage.input,
            cache_read_tokens=0 if failed else usage.cache_read,
            output_tokens=0 if failed else usage.output,
            cost_usd_nanos=0 if failed else price.cost_nanos(usage, at.timestamp()),
            price_version=price.version,
            latency_ms=round(latency_ms, 3),
            ttft_ms=round(ttft_ms, 3) if is_stream else 0.0,
            overhead_ms=round(self._chance.lognormvariate(-0.7, 0.3), 3),
            user_id=self._chance.choice(_USERS),
            tags={"ward": self._chance.choice(_WARDS)},
            user_agent="OpenAI/Python 2.8.0",
        )
        self.requests.append(encode(record))
        if habit.route:
            self._attempted(record)

    def _attempted(self, record: RequestRecord) -> None:
        strategy = str(_ROUTES[record.route]["strategy"])
        for number in range(1, record.attempts + 1):
            is_last = number == record.attempts
            status = record.status if is_last else 503
            attempt = AttemptRecord(
                request_id=record.request_id,
                attempt=number,
                organization_id=record.organization_id,
                project_id=record.project_id,
                environment_id=record.environment_id,
                at=record.at,
                route=record.route,
                route_version=1,
                strategy=strategy,
                provider=record.provider,
                model=record.model,
                status=status,
                cause={200: "", 429: "rate_limit"}.get(status, "error"),
                latency_ms=record.latency_ms if is_last else 120.0,
                is_chosen=status == 200,
                cost_usd_nanos=record.cost_usd_nanos if is_last else 0,
            )
            self._attempts.append(encode(attempt))

    def _about(self, usual: int) -> int:
        return round(usual * self._chance.lognormvariate(0.0, 0.5)) if usual else 0

    def _id(self, prefix: str, at: datetime) -> str:
        return id_of(prefix, int(at.timestamp() * 1000), self._chance.getrandbits(80))


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")
