"""One model of one provider, and the doors to it: a door is a key, with its connection written out once."""

import random
from typing import Any, Final, Protocol

from apps.routing.edge import echo
from apps.routing.edge.book import CredentialRecord, ModelRecord, ProviderRecord, place_of_credential
from apps.routing.edge.dialects import openai
from apps.routing.edge.prices import FREE, Price
from brokle.edge.egress import EgressClient, Limits
from brokle.edge.egress import Target as EgressTarget
from brokle.edge.egress.breaker import Breaker, BreakerBoard
from brokle.kernel.errors import Unavailable
from brokle.kernel.sealing import Sealer

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

    __slots__ = ("credential_id", "environment_id", "rests_until", "target", "weight")

    def __init__(self, credential: CredentialRecord, target: EgressTarget) -> None:
        self.credential_id = credential.credential_id
        self.environment_id = credential.environment_id
        self.weight = credential.weight
        self.target = target
        self.rests_until = 0.0


class Upstream:
    __slots__ = ("breaker", "doors", "label", "model", "price", "provider")

    def __init__(
        self, provider: str, model: ModelRecord, doors: list[Door], breaker: Breaker | None, price: Price | None = None
    ) -> None:
        self.provider = provider
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

    async def open(self, door: Door, body: bytes, limits: Limits, ask: Any) -> Answer:
        return await door.target.open(body, limits=limits)


class EchoUpstream(Upstream):
    """The built-in provider answers from here, through the same pipes as any other."""

    __slots__ = ("_plan",)

    def __init__(self, name: str) -> None:
        super().__init__("echo", ModelRecord(name, name), [], None, FREE)
        self._plan = echo.plan_for(name)

    def doors_of(self, environment_id: str, now: float) -> list[Door]:
        return [_HERE]

    async def open(self, door: Door, body: bytes, limits: Limits, ask: Any) -> Answer:
        return await echo.answer(self._plan, self.model, ask)


_HERE: Final = Door(OPEN_TO_ALL, None)  # type: ignore[arg-type]


class Workshop:
    """Makes upstreams out of records: the only place where a provider's key is read in clear."""

    __slots__ = ("_breakers", "_egress", "_sealer")

    def __init__(self, egress: EgressClient, sealer: Sealer) -> None:
        self._egress = egress
        self._sealer = sealer
        self._breakers = BreakerBoard()

    def doors(self, provider: ProviderRecord) -> list[Door]:
        url = provider.base_url.rstrip("/") + openai.CHAT_PATH
        doors = []
        for credential in provider.credentials or [OPEN_TO_ALL]:
            secret = self._secret(credential)
            target = self._egress.prepare("POST", url, {**_JSON, **openai.authorization(secret)})
            doors.append(Door(credential, target))
        return doors

    def upstream(self, provider: ProviderRecord, model: ModelRecord, doors: list[Door]) -> Upstream:
        breaker = self._breakers.breaker(f"{provider.provider_id}/{model.upstream}")
        return Upstream(provider.name, model, doors, breaker)

    def _secret(self, credential: CredentialRecord) -> str:
        if not credential.sealed:
            return ""
        place = place_of_credential(credential.credential_id)
        return self._sealer.unseal(credential.sealed, place=place).decode()


class NoUsableKey(Unavailable):
    code, title = "no_usable_credential", "This provider has no key for this environment"
