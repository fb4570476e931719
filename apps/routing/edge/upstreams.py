"""One model of one provider: how it is spoken to, how it does, and which doors lead to it."""

import math
import random
import re
from collections.abc import Callable, Mapping
from typing import Final

from apps.routing.edge import echo, predictions
from apps.routing.edge.book import ModelRecord, ProviderRecord
from apps.routing.edge.dialects.catalog import COMPATIBLE, dialect_of
from apps.routing.edge.dialects.responses.wire import RESPONSES
from apps.routing.edge.dialects.signing import Pairs
from apps.routing.edge.dialects.speech import Format
from apps.routing.edge.doors import OPEN_TO_ALL, Answer, Body, Door
from apps.routing.edge.echo_script import script_of
from apps.routing.edge.measures import Measure
from apps.routing.edge.prices import FREE
from brokle.edge.egress import Limits
from brokle.edge.egress.breaker import Breaker
from brokle.edge.http import Header

_SHORTEST_S: Final = 5
"""No prediction may be told to end sooner."""
_RESPONSES: Final = "responses"
_YES: Final = "yes"
_NO_ADDRESS: Final = frozenset({404, 405, 501})
_MODEL: Final = re.compile(rb"model", re.IGNORECASE)
ECHO_HEADER: Final = "x-brokle-echo"


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
