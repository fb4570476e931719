"""One model of one provider, and the doors to it: a door is a key, with its connection written out once."""

import math
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Final, Protocol

import msgspec

from apps.routing.edge import echo, predictions
from apps.routing.edge.book import CredentialRecord, ModelRecord, ProviderRecord, place_of_credential
from apps.routing.edge.dialects.catalog import COMPATIBLE, dialect_of
from apps.routing.edge.dialects.replicate.dialect import Replicate
from apps.routing.edge.dialects.responses.wire import RESPONSES
from apps.routing.edge.dialects.signing import Signer
from apps.routing.edge.dialects.speech import Format
from apps.routing.edge.dialects.tokens import Tokens
from apps.routing.edge.echo_script import script_of
from apps.routing.edge.measures import Measure, MeasureBoard
from apps.routing.edge.prices import FREE
from brokle.edge.egress import EgressClient, Limits
from brokle.edge.egress import Target as EgressTarget
from brokle.edge.egress.breaker import Breaker, BreakerBoard, BreakerRules
from brokle.edge.http import Header
from brokle.kernel.errors import BadRequest, Unavailable
from brokle.kernel.sealing import Sealer

_TARGETS_MAX: Final = 256
_SHORTEST_S: Final = 5
"""No prediction may be told to end sooner."""
_RESPONSES: Final = "responses"
_YES: Final = "yes"
_NO_ADDRESS: Final = frozenset({404, 405, 501})
_MODEL: Final = re.compile(rb"model", re.IGNORECASE)
Pairs = tuple[tuple[str, str], ...]
ECHO_HEADER: Final = "x-brokle-echo"
Body = bytes | AsyncIterator[bytes]
_SILENCE: Final = BreakerRules(window_calls=2**31)
"""By calls in a row alone: one answer among them, and the upstream is there."""
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
        "signer",
        "weight",
    )

    def __init__(
        self,
        credential: CredentialRecord,
        secret: str,
        egress: EgressClient,
        headers: dict[str, str],
        signer: Signer | None = None,
    ) -> None:
        self.credential_id = credential.credential_id
        self.environment_id = credential.environment_id
        self.weight = credential.weight
        self.secret = secret
        self.rests_until = 0.0
        self.signer = signer
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

    async def call(
        self, method: str, url: str, limits: Limits, headers: Pairs = (), *, shows_key: bool = True
    ) -> Answer:
        """Something else than the question to a model, with this key or without any."""
        if not shows_key:
            return await self._egress.prepare(method, url, _JSON).open(None, headers, limits=limits)
        signed = await self.signer.headers(url, b"", method=method) if self.signer is not None else ()
        return await self._egress.prepare(method, url, self._headers).open(None, (*headers, *signed), limits=limits)


def names_of(provider: str, model: str) -> tuple[Header, Header]:
    """As every answer says them; a header's value holds only what HTTP lets it hold."""
    return (b"x-brokle-provider", _visible(provider)), (b"x-brokle-model", _visible(model))


def _visible(text: str) -> bytes:
    return "".join(sign if " " <= sign <= "~" else "?" for sign in text).encode()


class Upstream:
    """`cut` makes a door for a key that a caller brought."""

    __slots__ = (
        "_cut",
        "_is_sure",
        "_rests",
        "base_url",
        "breaker",
        "capabilities",
        "context",
        "dialect",
        "doors",
        "label",
        "max_output",
        "measure",
        "model",
        "names",
        "options",
        "price",
        "provider",
        "quality",
        "serves_responses",
        "silence",
    )

    def __init__(
        self,
        record: ProviderRecord,
        model: ModelRecord,
        doors: list[Door],
        breaker: Breaker | None,
        measure: Measure,
        silence: Breaker | None = None,
        cut: Callable[[str], Door] | None = None,
    ) -> None:
        """`breaker` puts who fails behind others; `silence` keeps callers from waiting for who says nothing at all."""
        self._cut = cut
        self.provider = record.name
        self.dialect = dialect_of(record.dialect, model.upstream)
        self.base_url = record.base_url.rstrip("/")
        self.options = record.options
        self.model = model.upstream
        self.label = f"{record.name}/{model.name}"
        self.names = names_of(record.name, model.upstream)
        self.price = model.price
        self.doors = doors
        self.breaker = breaker
        self.silence = silence
        self.measure = measure
        self.context = model.context
        self.max_output = model.max_output
        self.capabilities = frozenset(model.capabilities)
        self.quality: float | None = None
        """Set where scores of answers are known."""
        told = record.options.get(_RESPONSES, "")
        self.serves_responses = told == _YES if told else _RESPONSES in record.endpoints
        self._rests: dict[str, float] = {}
        self._is_sure = bool(told) or self.dialect is not COMPATIBLE

    def speaks(self, spoken: Format) -> bool:
        """Whether the provider understands this format as it is; not all who speak OpenAI's chat know Responses."""
        return self.dialect.speaks(spoken.name) and (spoken.operation != _RESPONSES or self.serves_responses)

    @property
    def is_polled(self) -> bool:
        """Whether an answer is asked for again and again, while nothing comes that a caller could read."""
        return False

    @property
    def keeps_answers(self) -> bool:
        """Of a server of somebody's own only when that was said."""
        return self._is_sure and self.serves_responses and self.dialect.speaks(RESPONSES)

    def place_of_answers(self, path: str, query: str) -> str:
        url, _, own = self.dialect.address(self.base_url, _RESPONSES, "", self.options, is_stream=False).partition("?")
        queries = "&".join(part for part in (own, query) if part)
        return f"{url}{path}?{queries}" if queries else url + path

    def lacks(self, operation: str, status: int, body: bytes) -> bool:
        """Whether a server of somebody's own has said that it has no such address; that of a model says its name."""
        return operation == _RESPONSES and not self._is_sure and status in _NO_ADDRESS and not _MODEL.search(body)

    def doors_of(self, environment_id: str, now: float) -> list[Door]:
        """In the order to try: by weight and luck, keys that rest last; an environment's own keys shut out the rest."""
        own = [door for door in self.doors if door.environment_id == environment_id]
        usable = own or [door for door in self.doors if not door.environment_id]
        if len(usable) == 1:
            return usable
        shuffled = sorted(usable, key=lambda door: random.random() ** (1 / max(1, door.weight)), reverse=True)  # noqa: S311 - spreads load
        return sorted(shuffled, key=lambda door: door.rests_until > now)

    def rest(self, door: Door, until: float) -> None:
        """The key was refused for this model; what it may do with another, nobody said. Brought keys do not count."""
        if door in self.doors:
            self._rests[door.credential_id] = until

    def rests(self, environment_id: str, now: float) -> bool:
        """Whether every key for this environment was refused, so that asking again would be against what was said."""
        if not self._rests:
            return False
        doors = self.doors_of(environment_id, now)
        return bool(doors) and all(self._rests.get(door.credential_id, 0.0) > now for door in doors)

    def doors_for(self, own_keys: Mapping[str, str], environment_id: str, now: float) -> list[Door]:
        """With a key that the caller brought for this provider there is no other door. Raises BadRequest."""
        own = own_keys.get(self.provider)
        if own is None or self._cut is None:
            return self.doors_of(environment_id, now)
        return [self._cut(own)]

    async def open(
        self, door: Door, operation: str, body: Body, limits: Limits, *, is_stream: bool, headers: Pairs = ()
    ) -> Answer:
        url = self.dialect.address(self.base_url, operation, self.model, self.options, is_stream=is_stream)
        if door.signer is None:
            return await door.target(url, headers).open(body, limits=limits)
        signed = await door.signer.headers(url, body if isinstance(body, bytes) else b"")
        return await door.target(url, headers).open(body, signed, limits=limits)


class PredictionUpstream(Upstream):
    """Whose first answer is a promise; it ends with the deadline of the call, also where we end before it."""

    __slots__ = ()

    @property
    def is_polled(self) -> bool:
        return True

    async def open(
        self, door: Door, operation: str, body: Body, limits: Limits, *, is_stream: bool, headers: Pairs = ()
    ) -> Answer:
        url = self.dialect.address(self.base_url, operation, self.model, self.options, is_stream=is_stream)
        bound = (("cancel-after", f"{max(_SHORTEST_S, math.ceil(limits.total_s))}s"),)
        target = door.target(url, headers if is_stream else (*headers, *predictions.WAIT))
        asking = target.open(body, bound, limits=limits)
        return await predictions.followed(asking, door, self.base_url, limits, is_stream=is_stream)


_ECHO: Final = ProviderRecord("", "echo", "echo", "")


class EchoUpstream(Upstream):
    """The built-in provider answers from here, through the same pipes as any other."""

    __slots__ = ("_name", "_script")

    def __init__(self, name: str) -> None:
        super().__init__(_ECHO, ModelRecord(name, name, FREE), [], None, Measure())
        self._name = name
        self._script = script_of(name)

    def doors_of(self, environment_id: str, now: float) -> list[Door]:
        return [_HERE]

    async def open(
        self, door: Door, operation: str, body: Body, limits: Limits, *, is_stream: bool, headers: Pairs = ()
    ) -> Answer:
        told = dict(headers).get(ECHO_HEADER, "")
        script = script_of(self._name, told) if told else self._script
        return await echo.answer(script, self.model, body if isinstance(body, bytes) else b"")


_HERE: Final = Door(OPEN_TO_ALL, "", None, {})  # type: ignore[arg-type]  # nobody is dialed


class Workshop:
    """Makes upstreams out of records: the only place where a provider's key is read in clear."""

    __slots__ = ("_breakers", "_egress", "_known", "_measures", "_sealer", "_silences")

    def __init__(
        self, egress: EgressClient | None, sealer: Sealer | None, known: Callable[[str, str], ModelRecord | None]
    ) -> None:
        """`known` finds a model in the catalogue by kind of provider. Who only plans needs no way out and no keys."""
        self._egress = egress
        self._sealer = sealer
        self._known = known
        self._breakers = BreakerBoard()
        self._silences = BreakerBoard(_SILENCE)
        self._measures = MeasureBoard()

    def described(self, provider: ProviderRecord, name: str, listed: ModelRecord | None) -> ModelRecord:
        """What an organization lists counts more than what the catalogue knows; what neither knows stays open."""
        if listed is not None and listed.price.is_known:
            return listed
        known = self._known(provider.kind, listed.upstream if listed else name)
        if known is None:
            return listed or ModelRecord(name, name)
        if listed is None:
            return known
        return msgspec.structs.replace(
            known,
            name=listed.name,
            upstream=listed.upstream,
            context=listed.context or known.context,
            max_output=listed.max_output or known.max_output,
        )

    def doors(self, provider: ProviderRecord) -> list[Door]:
        credentials = provider.credentials or [OPEN_TO_ALL]
        return [self._door(provider, credential, self._secret(credential)) for credential in credentials]

    def _door(self, provider: ProviderRecord, credential: CredentialRecord, secret: str) -> Door:
        assert self._egress is not None  # noqa: S101 - whoever plans only makes no doors
        dialect = dialect_of(provider.dialect)
        headers = {**_JSON, **dialect.headers(secret, {"auth": provider.auth, **provider.options})}
        return Door(credential, secret, self._egress, headers, dialect.signer(secret, provider.options, self._egress))

    def _own_door(self, provider: ProviderRecord, secret: str) -> Door:
        """For one call. What would have to be given elsewhere for a token is not: it goes to the provider alone."""
        door = self._door(provider, OPEN_TO_ALL, secret)
        if isinstance(door.signer, Tokens):
            raise BadRequest("A key that a caller brings is sent as it is; bring the token instead of what fetches one")
        return door

    def upstream(self, provider: ProviderRecord, model: ModelRecord, doors: list[Door]) -> Upstream:
        name = f"{provider.provider_id}/{model.upstream}"
        breaker, measure = self._breakers.breaker(name), self._measures.measure(name)
        silence, cut = self._silences.breaker(name), partial(self._own_door, provider)
        kind = PredictionUpstream if isinstance(dialect_of(provider.dialect), Replicate) else Upstream
        return kind(provider, model, doors, breaker, measure, silence, cut)

    def _secret(self, credential: CredentialRecord) -> str:
        if not credential.sealed or self._sealer is None:
            return ""
        place = place_of_credential(credential.credential_id)
        return self._sealer.unseal(credential.sealed, place=place).decode()


class NoUsableKey(Unavailable):
    code, title = "no_usable_credential", "This provider has no key for this environment"
