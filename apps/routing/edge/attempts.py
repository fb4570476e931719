"""One owner of every retry: which upstream, which key, how long to wait, and when to give up."""

import asyncio
import random
from time import perf_counter_ns
from typing import Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.causes import Failure, Refusal, cause_of, is_of_key, is_passing
from apps.routing.edge.dialects.speech import CannotExpress, Format
from apps.routing.edge.doors import Answer, Door, NoUsableKey
from apps.routing.edge.lines import Line
from apps.routing.edge.plan import Plan
from apps.routing.edge.upstreams import Upstream
from brokle.edge.egress import Limits
from brokle.edge.egress.errors import CircuitOpen, ClosedBeforeAnswer, DeadlinePassed, UnableToConnect, UnableToResolve
from brokle.kernel.errors import Unavailable, UpstreamFailed, UpstreamTimedOut

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 8.0
_KEY_RESTS_S: Final = 30.0
_FAIR_S: Final = 1.0
_SILENT: Final = (DeadlinePassed, UnableToConnect, UnableToResolve, ClosedBeforeAnswer)
_LARGEST_ERROR: Final = 1024 * 1024
_HIDDEN: Final = b"[key]"
_SHORTEST_KEY: Final = 8


class Opened:
    """An upstream that has begun to answer well; `first` is what it said first when it streams."""

    __slots__ = ("_began_ns", "_first_ns", "_loop", "answer", "first", "is_closed", "line", "upstream")

    def __init__(self, upstream: Upstream, line: Line, answer: Answer, first: bytes, began_ns: int) -> None:
        self.upstream = upstream
        self.line = line
        self.answer = answer
        self.first = first
        self.is_closed = False
        self._began_ns = began_ns
        self._first_ns = perf_counter_ns()
        self._loop = asyncio.get_running_loop()

    def close(self, tokens: int = 0) -> None:
        """Once, however the call ended; only what went well to its end is measured."""
        if self.is_closed:
            return
        self.is_closed = True
        self.answer.close()
        now, measure = self._loop.time(), self.upstream.measure
        measure.released()
        if tokens:
            ended_ns = perf_counter_ns()
            ttft_s = (self._first_ns - self._began_ns) / 1e9
            measure.ended(now, ttft_s=ttft_s, duration_s=(ended_ns - self._began_ns) / 1e9)
            measure.used(now, tokens)


class Try(msgspec.Struct):
    """One attempt as it is kept: whom, why it ended, how long it took."""

    provider: str
    model: str
    status: int
    cause: str
    latency_ms: float


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
        "last",
        "tries",
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
        self.tries: list[Try] = []
        self.last: Upstream | None = None
        self.waited_ns = 0

    @property
    def count(self) -> int:
        return len(self.tries)

    async def open(self) -> Opened:
        """Raises the last failure when nobody answers well."""
        failure: Failure | None = None
        waiting = self._in_order()
        while waiting:
            upstream = waiting.pop(0)
            if self._plan.hedge_after_s and waiting:
                opened = await self._raced(upstream, waiting)
            else:
                opened = await self._through_doors(upstream)
            if isinstance(opened, Opened):
                return opened
            failure = opened
            if self._ask.is_spent or cause_of(failure) not in self._plan.causes:
                break
            if not waiting and await self._pause(failure):
                waiting = self._in_order()
        raise failure or NoUsableKey()

    async def _raced(self, upstream: Upstream, waiting: list[Upstream]) -> Opened | Failure:
        """Who has not begun to answer by then gets a rival, and whoever begins first is heard."""
        first = asyncio.create_task(self._through_doors(upstream))
        racing = {first}
        try:
            await asyncio.wait(racing, timeout=self._plan.hedge_after_s)
            if first.done():
                return first.result()
            racing.add(asyncio.create_task(self._through_doors(waiting.pop(0))))
            return await self._winner(racing)
        finally:
            await _abandon(racing)

    @staticmethod
    async def _winner(racing: set["asyncio.Task[Opened | Failure]"]) -> Opened | Failure:
        while True:
            done, _ = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
            winner = next((task for task in done if isinstance(task.result(), Opened)), None)
            if winner is not None or len(done) == len(racing):
                chosen = winner or done.pop()
                racing.discard(chosen)
                return chosen.result()
            racing -= done

    async def _pause(self, failure: Failure) -> bool:
        """Before everyone is asked again; False when that would help nobody."""
        pause_s = self._pause_s(failure)
        if self._retries <= 0 or not is_passing(failure) or self._loop.time() + pause_s >= self._ends_at:
            return False
        self._retries -= 1
        await asyncio.sleep(pause_s)
        return True

    def _in_order(self) -> list[Upstream]:
        """Who failed repeatedly or asked to be left alone comes last; who answers, however badly, is never shut out."""
        upstreams = self._plan.upstreams
        if len(upstreams) == 1:
            return [upstreams[0]]
        now, environment_id = self._loop.time(), self._environment_id
        return sorted(upstreams, key=lambda up: up.rests(environment_id, now) or not _is_well(up, now))

    async def _through_doors(self, upstream: Upstream) -> Opened | Failure:
        """A server that proves to have no such address is asked in its own dialect, from then on if that helps."""
        line = Line(self._format, self._ask, upstream)
        result = await self._with_keys(upstream, line)
        if not isinstance(result, Refusal) or not upstream.lacks(line.operation, result.status, result.body):
            return result
        upstream.serves_responses = False
        result = await self._with_keys(upstream, Line(self._format, self._ask, upstream))
        upstream.serves_responses = not isinstance(result, Opened)
        return result

    async def _with_keys(self, upstream: Upstream, line: Line) -> Opened | Failure:
        """A key that is refused rests, and the next one is tried at once."""
        failure: Failure | None = None
        try:
            body = line.body()
        except CannotExpress as error:
            return error
        for door in upstream.doors_for(self._plan.own_keys, self._environment_id, self._loop.time()):
            result = await self._once(upstream, door, line, body)
            if isinstance(result, Opened):
                return result
            failure = result
            if self._ask.is_spent or not isinstance(failure, Refusal) or not is_of_key(failure):
                return failure
            door.rests_until = self._loop.time() + (failure.retry_after_s() or _KEY_RESTS_S)
            upstream.rest(door, door.rests_until)
        return failure or NoUsableKey()

    async def _once(self, upstream: Upstream, door: Door, line: Line, body: bytes) -> Opened | Failure:
        left_s = self._ends_at - self._loop.time()
        if left_s <= 0:
            return UpstreamTimedOut(f"{upstream.label}: no answer within {self._plan.timeout_s:g} s")
        silence = upstream.silence
        if silence is not None and not silence.allows(self._loop.time()):
            self.tries.append(Try(upstream.provider, upstream.model, CircuitOpen.status, "error", 0.0))
            wait_s = silence.retry_after_s(self._loop.time())
            return CircuitOpen(f"{upstream.label} did not answer several times", retry_after_s=wait_s)
        began_ns = perf_counter_ns()
        mine = Try(upstream.provider, upstream.model, 499, "cancelled", 0.0)
        self.tries.append(mine)
        self.last = upstream
        upstream.measure.began()
        result: Opened | Failure | None = None
        try:
            result = await self._patiently(upstream, door, line, body, left_s)
        except (UpstreamFailed, UpstreamTimedOut, Unavailable) as error:
            result = error
        finally:
            waited_ns = perf_counter_ns() - began_ns
            self.waited_ns += waited_ns
            mine.latency_ms = round(waited_ns / 1e6, 3)
            if not isinstance(result, Opened):
                upstream.measure.released()
        mine.status, mine.cause = (200, "") if isinstance(result, Opened) else (result.status, cause_of(result))
        self._tell_breaker(upstream, result)
        self._tell_silence(upstream, result, left_s)
        return result

    async def _patiently(
        self, upstream: Upstream, door: Door, line: Line, body: bytes, left_s: float
    ) -> Opened | Failure:
        """A target with a deadline of its own has that long to begin to answer; what follows has the call's."""
        patience_s = self._plan.patience.get(upstream, left_s)
        if patience_s >= left_s:
            return await self._exchange(upstream, door, line, body, left_s)
        try:
            async with asyncio.timeout(patience_s):
                return await self._exchange(upstream, door, line, body, left_s)
        except TimeoutError:
            return DeadlinePassed(upstream.label, "the beginning of its answer", patience_s)

    async def _exchange(
        self, upstream: Upstream, door: Door, line: Line, body: bytes, left_s: float
    ) -> Opened | Failure:
        limits = Limits(first_byte_s=left_s, idle_s=left_s, total_s=left_s)
        is_stream = self._ask.is_stream
        began_ns = perf_counter_ns()
        answer = await upstream.open(
            door, line.operation, line.onward(body), limits, is_stream=is_stream, headers=line.headers
        )
        try:
            if answer.status >= 400:
                return Refusal(line, answer, without_key((await answer.read())[:_LARGEST_ERROR], door.secret))
            first = await answer.next_chunk() if is_stream else b""
        except BaseException:
            answer.close()
            raise
        return Opened(upstream, line, answer, first, began_ns)

    def _tell_breaker(self, upstream: Upstream, result: Opened | Failure) -> None:
        breaker = upstream.breaker
        if breaker is None:
            return
        if isinstance(result, Opened) or (isinstance(result, Refusal) and result.status < 500):
            breaker.succeeded(self._loop.time())
        else:
            breaker.failed(self._loop.time())

    def _tell_silence(self, upstream: Upstream, result: Opened | Failure, given_s: float) -> None:
        """Who is given less than the route's time tells nothing of the upstream.

        That is by a caller in a hurry, by what an earlier attempt has left, or by the target's own deadline.
        """
        if upstream.silence is None:
            return
        if not isinstance(result, _SILENT):
            upstream.silence.succeeded(self._loop.time())
        elif not isinstance(result, DeadlinePassed) or self._is_fair(upstream, given_s):
            upstream.silence.failed(self._loop.time())

    def _is_fair(self, upstream: Upstream, given_s: float) -> bool:
        return given_s >= _FAIR_S and not self._plan.is_hurried and upstream not in self._plan.patience

    def _pause_s(self, failure: Failure) -> float:
        """What the upstream asks for, else longer each time, with dice so that callers do not knock together."""
        if isinstance(failure, Refusal):
            asked = failure.retry_after_s()
            if asked is not None:
                return asked
        done = self._plan.retries - self._retries
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * float(2**done))
        return longest * (0.5 + 0.5 * random.random())  # noqa: S311 - jitter is no secret


def without_key(body: bytes, secret: str) -> bytes:
    """Some providers quote a key that they refuse, and their words go on to callers."""
    return body.replace(secret.encode(), _HIDDEN) if len(secret) >= _SHORTEST_KEY else body


def _is_well(upstream: Upstream, now: float) -> bool:
    return upstream.breaker is None or upstream.breaker.allows(now)


async def _abandon(racing: set["asyncio.Task[Opened | Failure]"]) -> None:
    """Whoever lost the race stops at once; one that began to answer all the same is hung up on."""
    for task in racing:
        task.cancel()
    for result in await asyncio.gather(*racing, return_exceptions=True):
        if isinstance(result, Opened):
            result.close()
