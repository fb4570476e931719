"""One model of one provider, and the doors to it: a door is a key, with its connection written out once."""

import random
from typing import Final, Protocol

from apps.routing.edge import echo
from apps.routing.edge.book import CredentialRecord, ModelRecord, ProviderRecord, place_of_credential
from apps.routing.edge.dialects.catalog import COMPATIBLE, dialect_of
from apps.routing.edge.dialects.speech import Dialect
from apps.routing.edge.prices import FREE, Price
from brokle.edge.egress import EgressClient, Limits
from brokle.edge.egress import Target as EgressTarget
from brokle.edge.egress.breaker import Breaker, BreakerBoard
from brokle.kernel.errors import Unavailable
from brokle.kernel.sealing import Sealer

_TARGETS_MAX: Final = 256
Pairs = tuple[tuple[str, str], ...]
OPEN_TO_ALL: Final = CredentialRecord("", b"")
_JSON: Final = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "brokle"}


class Answer(Protocol):
    """As much of an upstream's answer as the gateway takes."""

    status: int

    def header(self, name: str, default: str = "") -> str: ...
    async def next_chunk(self) -> bytes: ...
    async def read(self, *, decode: bool = False) -> bytes: ...
    def close(self) -> None: ...


class Door:
    """`rests_until` is when a key that was refused may be tried again, on the loop's clock."""

    __slots__ = (
        "_egress",
        "_headers",
        "_targets",
        "credential_id",
        "environment_id",
        "rests_until",
        "secret",
        "weight",
    )

    def __init__(
        self, credential: CredentialRecord, secret: str, egress: EgressClient, headers: dict[str, str]
    ) -> None:
        self.credential_id = credential.credential_id
        self.environment_id = credential.environment_id
        self.weight = credential.weight
        self.secret = secret
        self.rests_until = 0.0
        self._egress = egress
        self._headers = headers
        self._targets: dict[tuple[str, Pairs], EgressTarget] = {}

    def target(self, url: str, headers: Pairs = ()) -> EgressTarget:
        """Written out once for each address; where a call's own words are part of it, the oldest make room."""
        found = self._targets.get((url, headers))
        if found is None:
            written = {**self._headers, **dict(headers)}
            found = self._targets[url, headers] = self._egress.prepare("POST", url, written)
            if len(self._targets) > _TARGETS_MAX:
                del self._targets[next(iter(self._targets))]
        return found


class Upstream:
    __slots__ = ("base_url", "breaker", "dialect", "doors", "label", "model", "options", "price", "provider")

    def __init__(
        self,
        provider: str,
        dialect: Dialect,
        model: ModelRecord,
        doors: list[Door],
        breaker: Breaker | None,
        *,
        base_url: str = "",
        options: dict[str, str] | None = None,
        price: Price | None = None,
    ) -> None:
        self.provider = provider
        self.dialect = dialect
        self.base_url = base_url
        self.options = options or {}
        self.model = model.upstream
        self.label = f"{provider}/{model.name}"
        self.price = price or model.price
        self.doors = doors
        self.breaker = breaker

    def doors_of(self, environment_id: str, now: float) -> list[Door]:
        """In the order to try: by weight and luck, keys that rest last; an environment's own keys shut out the rest."""
        own = [door for door in self.doors if door.environment_id == environment_id]
        usable = own or [door for door in self.doors if not door.environment_id]
        if len(usable) == 1:
            return usable
        shuffled = sorted(usable, key=lambda door: random.random() ** (1 / max(1, door.weight)), reverse=True)  # noqa: S311 - spreads load
        return sorted(shuffled, key=lambda door: door.rests_until > now)

    async def open(
        self, door: Door, operation: str, body: bytes, limits: Limits, *, is_stream: bool, headers: Pairs = ()
    ) -> Answer:
        url = self.dialect.address(self.base_url, operation, self.model, self.options, is_stream=is_stream)
        return await door.target(url, headers).open(body, limits=limits)


class EchoUpstream(Upstream):
    """The built-in provider answers from here, through the same pipes as any other."""

    __slots__ = ("_plan",)

    def __init__(self, name: str) -> None:
        super().__init__("echo", COMPATIBLE, ModelRecord(name, name), [], None, price=FREE)
        self._plan = echo.plan_for(name)

    def doors_of(self, environment_id: str, now: float) -> list[Door]:
        return [_HERE]

    async def open(
        self, door: Door, operation: str, body: bytes, limits: Limits, *, is_stream: bool, headers: Pairs = ()
    ) -> Answer:
        return await echo.answer(self._plan, self.model, body)


_HERE: Final = Door(OPEN_TO_ALL, "", None, {})  # type: ignore[arg-type]  # nobody is dialed


class Workshop:
    """Makes upstreams out of records: the only place where a provider's key is read in clear."""

    __slots__ = ("_breakers", "_egress", "_sealer")

    def __init__(self, egress: EgressClient, sealer: Sealer) -> None:
        self._egress = egress
        self._sealer = sealer
        self._breakers = BreakerBoard()

    def doors(self, provider: ProviderRecord) -> list[Door]:
        dialect = dialect_of(provider.dialect)
        doors = []
        for credential in provider.credentials or [OPEN_TO_ALL]:
            secret = self._secret(credential)
            headers = {**_JSON, **dialect.headers(secret, provider.options)}
            doors.append(Door(credential, secret, self._egress, headers))
        return doors

    def upstream(self, provider: ProviderRecord, model: ModelRecord, doors: list[Door]) -> Upstream:
        breaker = self._breakers.breaker(f"{provider.provider_id}/{model.upstream}")
        dialect, base_url = dialect_of(provider.dialect), provider.base_url.rstrip("/")
        return Upstream(provider.name, dialect, model, doors, breaker, base_url=base_url, options=provider.options)

    def _secret(self, credential: CredentialRecord) -> str:
        if not credential.sealed:
            return ""
        place = place_of_credential(credential.credential_id)
        return self._sealer.unseal(credential.sealed, place=place).decode()


class NoUsableKey(Unavailable):
    code, title = "no_usable_credential", "This provider has no key for this environment"
