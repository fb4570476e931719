"""The course of one prediction: how it stands, asked about at the provider's own address, and how it is called off."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import msgspec

from apps.routing.edge.dialects.replicate.places import home_of
from apps.routing.edge.dialects.replicate.wire import (
    SUCCEEDED,
    UNWANTED,
    Prediction,
    decode_prediction,
    is_unwanted,
)
from apps.routing.edge.dialects.signing import Pairs
from apps.routing.edge.doors import Answer, Door
from brokle.edge.egress import Limits
from brokle.edge.egress.errors import EgressRefused
from brokle.edge.egress.urls import parse_url
from brokle.kernel.errors import BrokleError, UpstreamFailed, UpstreamTimedOut

FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 2.0
_SLOWER: Final = 1.5
_STREAM: Final[Pairs] = (("accept", "text/event-stream"), ("cache-control", "no-store"))
# Where Replicate itself streams from: addresses that nobody can guess, and that want no key.
_STREAMS: Final = (".replicate.com", ".replicate.net")
_CALL_OFF: Final = Limits(connect_s=5, first_byte_s=10, idle_s=10, total_s=15)
_PATIENCE: Final = 3
"""So many looks may fail one after the other."""
_encode: Final = msgspec.json.Encoder().encode
_running: Final[set["asyncio.Task[None]"]] = set()


class Course:
    """One prediction, as it was last seen. Whatever it says, it is asked about at the provider's own address."""

    __slots__ = ("_door", "_ends_at", "_failures", "_home", "_loop", "prediction", "raw")

    def __init__(self, door: Door, base_url: str, ends_at: float, raw: bytes) -> None:
        self._door = door
        self._home = home_of(base_url)
        self._ends_at = ends_at
        self._failures = 0
        self._loop = asyncio.get_running_loop()
        self.raw = raw
        self.prediction = _read(raw)

    async def whole(self) -> Answer:
        for pause_s in pauses():
            if self.prediction.is_over:
                break
            await self.look_after(pause_s)
        if self.prediction.status == SUCCEEDED:
            return Told(200, self.raw)
        words = self.prediction.failure
        code = UNWANTED if is_unwanted(words) else None
        return Told(400 if code else 502, _encode({"error": words, "code": code}))

    async def look_after(self, pause_s: float) -> None:
        if self._loop.time() + pause_s >= self._ends_at:
            raise UpstreamTimedOut("The prediction was not over in time")
        await asyncio.sleep(pause_s)
        await self.look()

    async def look(self) -> None:
        """A look that failed in passing changes nothing, a few times."""
        left_s = max(0.1, self._ends_at - self._loop.time())
        url = self._own(self.prediction.urls.get, "")
        answer = await self._door.call("GET", url, Limits(first_byte_s=left_s, idle_s=left_s, total_s=left_s))
        try:
            raw = await answer.read()
        finally:
            answer.close()
        if answer.status < 400:
            self._failures, self.raw, self.prediction = 0, raw, _read(raw)
            return
        self._failures += 1
        if self._failures > _PATIENCE or (answer.status < 500 and answer.status != 429):
            raise UpstreamFailed(f"The prediction cannot be looked at: the provider answered {answer.status}")

    async def listen(self) -> Answer | None:
        """None where no stream is offered, or none that may be listened to."""
        url = self.prediction.urls.stream
        if not url or not (self._is_own(url) or self._is_of_replicate(url)):
            return None
        left_s = max(0.1, self._ends_at - self._loop.time())
        limits = Limits(first_byte_s=left_s, idle_s=left_s, total_s=left_s)
        with suppress(UpstreamFailed):
            answer = await self._door.call("GET", url, limits, _STREAM, shows_key=self._is_own(url))
            if answer.status < 400:
                return answer
            answer.close()
        return None

    def call_off(self) -> None:
        """Once it is known that nobody waits for it; nobody waits for this either."""
        if not self.prediction.is_over:
            later(self.called_off())

    async def called_off(self) -> None:
        with suppress(BrokleError):
            answer = await self._door.call("POST", self._own(self.prediction.urls.cancel, "/cancel"), _CALL_OFF)
            answer.close()

    def _own(self, url: str | None, rest: str) -> str:
        """As the provider says, where that is its own host; else where its documentation has it."""
        if url and self._is_own(url):
            return url
        return f"{self._home}/predictions/{quote(self.prediction.id, safe='')}{rest}"

    def _is_own(self, url: str) -> bool:
        try:
            return parse_url(url).origin == parse_url(self._home).origin
        except EgressRefused:
            return False

    def _is_of_replicate(self, url: str) -> bool:
        try:
            told, home = parse_url(url).origin, parse_url(self._home).origin
        except EgressRefused:
            return False
        return home.host.endswith(_STREAMS) and told.scheme == "https" and told.host.endswith(_STREAMS)


class Told:
    """An answer that is all here."""

    __slots__ = ("_body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body

    def header(self, name: str, default: str = "") -> str:
        return default

    async def next_chunk(self) -> bytes:
        chunk, self._body = self._body, b""
        return chunk

    async def read(self, *, decode: bool = False) -> bytes:
        return self._body

    def close(self) -> None:
        pass


def pauses() -> Iterator[float]:
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(_LONGEST_PAUSE_S, pause_s * _SLOWER)


def later(call: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(call)
    _running.add(task)
    task.add_done_callback(_running.discard)


def _read(raw: bytes) -> Prediction:
    try:
        found = decode_prediction(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamFailed("The provider did not answer with a prediction") from error
    if not found.id or not found.status:
        raise UpstreamFailed("The provider did not answer with a prediction")
    return found
