"""All that one process of the data plane holds: snapshot, limits, spool, Redis, the way out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brokle.edge import meters
from brokle.edge.dispatch import Dispatch, Endpoint
from brokle.edge.egress import EgressClient, Policy
from brokle.edge.egress.breaker import BreakerBoard
from brokle.edge.key_use import KeyUse
from brokle.edge.limits import Limiter, WithoutRedis
from brokle.edge.passes import Passes
from brokle.edge.principal import Keys
from brokle.edge.resp import RedisLink
from brokle.edge.rooms import Room, load_rooms
from brokle.edge.snapshot import Snapshot, SnapshotLoader
from brokle.edge.spool import Spool, SpoolSettings
from brokle.kernel.metrics import registry
from brokle.kernel.secrets import derive
from brokle.settings.env import Environment


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    data_dir: Path
    redis_url: str
    secret_key: str
    secret_key_fallbacks: tuple[str, ...] = ()
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    logs_access: bool = False
    egress: Policy = field(default_factory=Policy)
    without_redis: WithoutRedis = WithoutRedis.BUDGETS_CLOSED

    @classmethod
    def read(cls, environment: Environment) -> "RuntimeSettings":
        megabyte = 1024 * 1024
        return cls(
            data_dir=Path(environment.text("BROKLE_DATA_DIR")).resolve(),
            redis_url=environment.text("REDIS_URL"),
            secret_key=environment.text("BROKLE_SECRET_KEY"),
            secret_key_fallbacks=tuple(environment.items("BROKLE_SECRET_KEY_FALLBACKS")),
            spool=SpoolSettings.of(
                max_bytes=environment.integer("BROKLE_SPOOL_MAX_MB") * megabyte,
                reserve_bytes=environment.integer("BROKLE_SPOOL_RESERVE_MB") * megabyte,
            ),
            logs_access=environment.flag("BROKLE_ACCESS_LOG"),
            egress=Policy.from_environment(environment),
            without_redis=WithoutRedis.read(environment),
        )


class Runtime:
    def __init__(self, settings: RuntimeSettings, rooms: Sequence[Room] | None = None) -> None:
        self.settings = settings
        self._loop = asyncio.get_running_loop()
        self.redis = RedisLink(settings.redis_url)
        self._follow = RedisLink(settings.redis_url, timeout_s=5)
        self.snapshot = Snapshot()
        secrets = (settings.secret_key, *settings.secret_key_fallbacks)
        self.keys = Keys(self.snapshot, [derive(secret, "pepper") for secret in secrets])
        self.passes = Passes([derive(secret, "pass") for secret in secrets])
        self.limiter = Limiter(self.redis, settings.without_redis)
        self.key_use = KeyUse(self.redis)
        self.egress = EgressClient(settings.egress, breakers=BreakerBoard())
        self.spool = Spool(settings.data_dir / "spool", settings.spool)
        disk = settings.data_dir / "snapshot" / "edge.snap"
        self.loader = SnapshotLoader(self.snapshot, self.redis, self._follow, disk)
        self.rooms = list(rooms) if rooms is not None else load_rooms()
        self._endpoints: list[Endpoint] = [endpoint for room in self.rooms for endpoint in room.open(self)]

    def dispatch(self, *more: Endpoint) -> Dispatch:
        endpoints = [*self._endpoints, *more]
        return Dispatch(
            self.keys,
            self.limiter,
            self.key_use,
            endpoints,
            passes=self.passes,
            logs_access=self.settings.logs_access,
        )

    async def start(self) -> None:
        """Everything is loaded before the process listens."""
        await self.spool.start()
        await self.redis.start()
        await self._follow.start()
        await self.loader.start()
        self.key_use.start()
        registry.before_dump.append(self._measure)

    def _measure(self) -> None:
        meters.tasks.set(len(asyncio.all_tasks(self._loop)))
        meters.snapshot_version.set(self.snapshot.version)
        meters.snapshot_age.set(self.loader.age_s())

    async def stop(self) -> None:
        registry.before_dump.remove(self._measure)
        await self.key_use.stop()
        await self.loader.stop()
        await self.egress.aclose()
        await self.spool.stop()
        await self._follow.stop()
        await self.redis.stop()
