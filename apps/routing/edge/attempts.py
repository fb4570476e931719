"""One owner of every retry: which upstream, which key, how long to wait, and when to give up."""

import asyncio
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import perf_counter_ns
from typing import Final

from apps.routing.edge.asks import Ask
from apps.routing.edge.dialects.speech import CannotExpress, Format
from apps.routing.edge.lines import Line
from apps.routing.edge.plan import Plan
from apps.routing.edge.upstreams import Answer, Door, NoUsableKey, Upstream
from brokle.edge.egress import Limits
from brokle.kernel.errors import BrokleError, Unavailable, UpstreamFailed, UpstreamTimedOut

_KEY_REFUSED: Final = frozenset({401, 402, 403, 429})
_PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_ELSEWHERE: Final = _KEY_REFUSED | _PASSING | {404}
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 8.0
_KEY_RESTS_S: Final = 30.0
_LARGEST_ERROR: Final = 1024 * 1024


class Refusal(Exception):
    """The upstream answered, and the answer is no. It goes to the caller as it came."""

    def __init__(self, line: Line, answer: Answer, body: bytes) -> None:
        super().__init__(answer.status)
        self.line = line
        self.status = answer.status
        self.body = body
        self.header = answer.header

    def retry_after_s(self) -> float | None:
        """`retry-after-ms`, else `retry-after` in seconds or as a date."""
        precise, plain = self.header("retry-after-ms"), self.header("retry-after")
        try:
            if precise:
                return max(0.0, float(precise) / 1000)
            if plain:
                return max(0.0, float(plain))
        except ValueError:
            return _seconds_until(plain)
        return None


def _seconds_until(text: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


Failure = Refusal | BrokleError


class Opened:
    """An upstream that has begun to answer well; `first` is what it said first when it streams."""

    __slots__ = ("answer", "first", "line", "upstream")

    def __init__(self, upstream: Upstream, line: Line, answer: Answer, first: bytes) -> None:
        self.upstream = upstream
        self.line = line
        self.answer = answer
        self.first = first


class Attempts:
    """Headers are held until the first upstream byte: all that happens here, the caller has not seen yet."""

    __slots__ = (
        "_ask",
        "_ends_at",
        "_environment_id",
        "_format",
        "_loop",
        "_plan",
        "_retries",
        "count",
        "waited_ns",
    )

    def __init__(self, plan: Plan, ask: Ask, spoken: Format, environment_id: str) -> None:
        self._plan = plan
        self._ask = ask
        self._format = spoken
        self._environment_id = environment_id
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + plan.timeout_s
        self._retries = plan.retries
        self.count = 0
        self.waited_ns = 0

    async def open(self) -> Opened:
        """Raises the last failure when nobody answers well."""
        failure: Failure = NoUsableKey()
        waiting = self._in_order()
        while waiting:
            upstream = waiting.pop(0)
            opened = await self._through_doors(upstream)
            if isinstance(opened, Opened):
                return opened
            failure = opened
            if not may_go_on(failure):
                break
            if not waiting and await self._pause(failure):
                waiting = self._in_order()
        raise failure

    async def _pause(self, failure: Failure) -> bool:
        """Before everyone is asked again; False when that would help nobody."""
        pause_s = self._pause_s(failure)
        if self._retries <= 0 or not is_passing(failure) or self._loop.time() + pause_s >= self._ends_at:
            return False
        self._retries -= 1
        await asyncio.sleep(pause_s)
        return True

    def _in_order(self) -> list[Upstream]:
        """Who failed repeatedly comes last and is never shut out: the only one left is always tried."""
        upstreams = self._plan.upstreams
        if len(upstreams) == 1:
            return [upstreams[0]]
        now = self._loop.time()
        return sorted(upstreams, key=lambda upstream: not _is_well(upstream, now))

    async def _through_doors(self, upstream: Upstream) -> Opened | Failure:
        """A key that is refused rests, and the next one is tried at once."""
        failure: Failure = NoUsableKey()
        line = Line(self._format, self._ask, upstream)
        try:
            body = line.body()
        except CannotExpress as error:
            return error
        for door in upstream.doors_of(self._environment_id, self._loop.time()):
            result = await self._once(upstream, door, line, body)
            if isinstance(result, Opened):
                return result
            failure = result
            if not (isinstance(failure, Refusal) and failure.status in _KEY_REFUSED):
                return failure
            door.rests_until = self._loop.time() + (failure.retry_after_s() or _KEY_RESTS_S)
        return failure

    async def _once(self, upstream: Upstream, door: Door, line: Line, body: bytes) -> Opened | Failure:
        left_s = self._ends_at - self._loop.time()
        if left_s <= 0:
            return UpstreamTimedOut(f"{upstream.label}: no answer within {self._plan.timeout_s:g} s")
        self.count += 1
        began_ns = perf_counter_ns()
        try:
            result = await self._exchange(upstream, door, line, body, left_s)
        except (UpstreamFailed, UpstreamTimedOut, Unavailable) as error:
            result = error
        self.waited_ns += perf_counter_ns() - began_ns
        self._tell_breaker(upstream, result)
        return result

    async def _exchange(
        self, upstream: Upstream, door: Door, line: Line, body: bytes, left_s: float
    ) -> Opened | Failure:
        limits = Limits(first_byte_s=left_s, idle_s=left_s, total_s=left_s)
        is_stream = self._ask.is_stream
        answer = await upstream.open(door, line.operation, body, limits, is_stream=is_stream, headers=line.headers)
        try:
            if answer.status >= 400:
                return Refusal(line, answer, (await answer.read())[:_LARGEST_ERROR])
            first = await answer.next_chunk() if is_stream else b""
        except BaseException:
            answer.close()
            raise
        return Opened(upstream, line, answer, first)

    def _tell_breaker(self, upstream: Upstream, result: Opened | Failure) -> None:
        breaker = upstream.breaker
        if breaker is None:
            return
        if isinstance(result, Opened) or (isinstance(result, Refusal) and result.status < 500):
            breaker.succeeded(self._loop.time())
        else:
            breaker.failed(self._loop.time())

    def _pause_s(self, failure: Failure) -> float:
        """What the upstream asks for, else longer each time, with dice so that callers do not knock together."""
        if isinstance(failure, Refusal):
            asked = failure.retry_after_s()
            if asked is not None:
                return asked
        done = self._plan.retries - self._retries
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * float(2**done))
        return longest * (0.5 + 0.5 * random.random())  # noqa: S311 - jitter is no secret


def _is_well(upstream: Upstream, now: float) -> bool:
    return upstream.breaker is None or upstream.breaker.allows(now)


def is_passing(failure: Failure) -> bool:
    """Whether the same call may go well a little later."""
    if isinstance(failure, Refusal):
        return failure.status in _PASSING
    return not isinstance(failure, NoUsableKey | CannotExpress)


def may_go_on(failure: Failure) -> bool:
    """Whether another upstream may do better: not with a request that is wrong in itself."""
    return failure.status in _ELSEWHERE if isinstance(failure, Refusal) else True
