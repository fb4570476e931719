"""One call to a model, whatever the format: admitted, tried, answered, recorded."""

import asyncio
from contextlib import suppress
from copy import copy
from dataclasses import replace
from time import perf_counter_ns
from typing import Final

from apps.routing.edge.account import BYTES_PER_TOKEN, Account
from apps.routing.edge.admission import Admission, Estimate
from apps.routing.edge.asks import Ask
from apps.routing.edge.attempts import Attempts, Opened
from apps.routing.edge.books import Books
from apps.routing.edge.causes import Refusal
from apps.routing.edge.dialects.speech import Format, Stream
from apps.routing.edge.dialects.sse import EventTooLarge
from apps.routing.edge.keep_alive import KeepAlive
from apps.routing.edge.mirrors import Mirrors, Unheard
from apps.routing.edge.own_keys import find_own_keys
from apps.routing.edge.plan import ModelNotFound, Plan
from apps.routing.edge.reply import Failed
from apps.routing.edge.splice import with_last_member
from apps.routing.edge.usage import Usage
from brokle.edge.http import JSON, ClientGone, Header, Request
from brokle.edge.runtime import Runtime
from brokle.edge.spool import MONEY, TELEMETRY, UnableToSpool, recorder
from brokle.kernel.errors import BrokleError

_SSE: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_PASSED_ON: Final = ("retry-after", "retry-after-ms", "x-should-retry")
_INTERRUPTED: Final = Failed("The upstream service broke off its answer", "server_error", "upstream_interrupted")


class Switchboard:
    """What all formats share: one owner of limits, spool and books."""

    def __init__(self, runtime: Runtime, books: Books) -> None:
        self._spool = runtime.spool
        self._limiter = runtime.limiter
        self._books = books
        self._mirrors = Mirrors()
        self._records = recorder(runtime.spool, MONEY, "request"), recorder(runtime.spool, TELEMETRY, "attempt")

    async def answer(self, request: Request, spoken: Format, model: str = "") -> None:
        """`model` where the address names it."""
        ask = await spoken.ask_of(request, model)
        plan = self.plan(request, spoken, ask)
        if plan.shadow and not self._mirrors.is_full:
            await spoken.hold(ask)
            self._mirrors.begin(self._mirror(request, spoken, ask, plan.shadow))
        await self.carry(request, spoken, ask, plan)

    async def carry(self, request: Request, spoken: Format, ask: Ask, plan: Plan) -> None:
        self._spool.check_room(MONEY)
        admission = Admission(self._limiter)
        account = Account(request, ask, spoken.endpoint, plan, self._records)
        call = Call(request, spoken, ask, plan, account)
        try:
            estimate = Estimate(account.estimated_input, ask.output_bound)
            await admission.take(request, ask.user or ask.controls.user, plan, estimate)
            await call.run()
        except Refusal as refusal:
            await call.refuse(refusal)
        except BrokleError as error:
            account.fail(error.status, error.code)
            raise
        except (ClientGone, asyncio.CancelledError):
            account.fail(499, "client_closed_request")
            raise
        finally:
            call.close()
            await admission.settle(account.usage, account.cost_nanos)

    async def _mirror(self, request: Request, spoken: Format, ask: Ask, model: str) -> None:
        """On nobody's limits, and in the log with a tag of its own."""
        upstream = self._books.of(request.principal.project_id).find(model)
        if upstream is None:
            return
        unheard, plan = Unheard(request), Plan([upstream])
        controls = copy(ask.controls)
        controls.tags = {**controls.tags, "brokle.shadow_of": request.request_id}
        asked = replace(ask, controls=controls)
        account = Account(unheard, asked, spoken.endpoint, plan, self._records)
        call = Call(unheard, spoken, asked, plan, account)
        try:
            await call.run()
        except Refusal as refusal:
            await call.refuse(refusal)
        except BrokleError as error:
            account.fail(error.status, error.code)
        finally:
            call.close()

    def plan(self, request: Request, spoken: Format, ask: Ask) -> Plan:
        name = ask.controls.route or ask.model
        allowed = request.principal.allowed_models
        if allowed and name not in allowed:
            raise ModelNotFound(name)
        principal = request.principal
        book = self._books.of(principal.project_id)
        plan = book.plan(name, lambda: ask.facts(principal, spoken.endpoint, BYTES_PER_TOKEN))
        plan.own_keys = find_own_keys(request, book)
        if ask.controls.timeout_s is not None and ask.controls.timeout_s < plan.timeout_s:
            plan.timeout_s, plan.is_hurried = ask.controls.timeout_s, True
        return plan


class Call:
    """One question from parsed body to record."""

    __slots__ = ("_account", "_ask", "_format", "_is_gone", "_opened", "_plan", "_request", "_watcher")

    def __init__(self, request: Request, spoken: Format, ask: Ask, plan: Plan, account: Account) -> None:
        self._request, self._format, self._ask, self._plan, self._account = request, spoken, ask, plan, account
        self._opened: Opened | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._is_gone = False

    async def run(self) -> None:
        environment_id = self._request.principal.environment_id
        attempts = self._account.attempts = Attempts(self._plan, self._ask, self._format, environment_id)
        is_polled = any(upstream.is_polled for upstream in self._plan.upstreams)
        opened = self._opened = await (self._open_watched(attempts) if is_polled else attempts.open())
        if self._is_gone:
            raise ClientGone
        self._account.upstream = opened.upstream
        self._account.ttft_ms = self._request.elapsed_ms()
        if self._ask.is_stream:
            await self._stream(opened)
        elif opened.line.is_binary and not opened.answer.header("content-type").startswith("application/json"):
            await self._binary(opened)
        else:
            await self._whole(opened)

    async def _open_watched(self, attempts: Attempts) -> Opened:
        """Where an answer is long in coming, whoever leaves meanwhile is noticed too."""
        await self._format.hold(self._ask)
        opening = asyncio.create_task(attempts.open())
        watcher = self._watched()
        try:
            await asyncio.wait({opening, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                return opening.result()
            raise ClientGone
        finally:
            opening.cancel()

    async def _whole(self, opened: Opened) -> None:
        """Recorded before the caller hears of it: what was acknowledged is never lost."""
        began_ns = perf_counter_ns()
        raw = await opened.answer.read()
        self._account.body_ns = perf_counter_ns() - began_ns
        body, usage = opened.line.whole(raw)
        self._account.settle(usage or opened.line.known_usage() or self._account.guess(answered_bytes=len(raw)))
        if self._account.wants_metadata:
            body = with_last_member(body, b"brokle", self._account.metadata())
        self._account.write()
        await self._request.reply(opened.answer.status, body, JSON, *self._account.final_headers())

    async def _binary(self, opened: Opened) -> None:
        """Sound and the like: passed on piece by piece, as what the upstream says it is."""
        self._account.settle(opened.line.known_usage() or Usage())
        kind = opened.answer.header("content-type", "application/octet-stream").encode("latin-1", "replace")
        await self._request.start(opened.answer.status, (b"content-type", kind), *self._account.headers())
        self._watched()
        try:
            while chunk := await opened.answer.next_chunk():
                await self._request.chunk(chunk)
        except BrokleError as error:
            self._account.fail(499, "client_closed_request") if self._is_gone else self._account.fail(
                502, "upstream_interrupted"
            )
            raise ClientGone from error  # a body of unknown length that is not finished reads as broken off
        finally:
            self._unwatch()
        self._account.write()
        await self._request.finish()

    async def _stream(self, opened: Opened) -> None:
        passage = opened.line.stream(self._metadata_after if self._account.wants_metadata else None, self._guess)
        await self._request.start(200, *_SSE, *self._account.headers())
        self._watched()
        alive = KeepAlive(self._request)
        try:
            await self._relay(opened, passage, alive)
        finally:
            alive.stop()
            self._unwatch()
            self._account.settle(self._used(passage))

    async def _relay(self, opened: Opened, passage: Stream, alive: KeepAlive) -> None:
        chunk, last = opened.first, b""
        try:
            while chunk:
                out = passage.feed(chunk)
                self._record_when_done(passage)
                if out:
                    alive.heard()
                    await self._request.chunk(out)
                if passage.is_failed:
                    break
                chunk = await opened.answer.next_chunk()
            if not passage.is_failed:
                last = passage.finish()
                self._record_when_done(passage)
        except (BrokleError, EventTooLarge) as error:
            if self._is_gone:
                raise ClientGone from error
            if not passage.is_done or isinstance(error, UnableToSpool):
                await self._break_off(passage)
                return
        if passage.is_failed:
            self._account.fail(502, "upstream_error")
            self._end(passage)
            await self._request.finish(last)
        elif not passage.is_done:
            await self._break_off(passage)
        else:
            await self._request.finish(last)

    def _record_when_done(self, passage: Stream) -> None:
        """Before the caller hears that all is said: what was acknowledged is never lost."""
        if passage.is_done and not passage.is_failed:
            self._end(passage)

    async def _break_off(self, passage: Stream) -> None:
        """The upstream ended in the middle: said in the stream itself, since a stream that just ends looks whole."""
        self._account.fail(502, "upstream_interrupted")
        with suppress(UnableToSpool):
            self._end(passage)
        await self._request.finish(self._format.writer(self._ask).fail(_INTERRUPTED))

    def _end(self, passage: Stream) -> None:
        self._account.settle(self._used(passage))
        self._account.write()

    def _used(self, passage: Stream) -> Usage:
        return passage.usage or self._guess(passage.events)

    def _guess(self, events: int) -> Usage:
        """Where the upstream said nothing, an event is taken for a token."""
        return self._account.guess(output_tokens=events)

    def _metadata_after(self, usage: Usage) -> bytes:
        self._account.settle(usage)
        return self._account.metadata()

    def _watched(self) -> "asyncio.Task[None]":
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        return self._watcher

    def _unwatch(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    async def _watch(self) -> None:
        """Whoever leaves stops the upstream too: nobody pays for words that nobody reads."""
        await self._request.gone()
        self._is_gone = True
        if self._opened is not None:
            self._opened.answer.close()

    async def refuse(self, refusal: Refusal) -> None:
        """The upstream's own words, status and advice."""
        self._account.fail(refusal.status, "upstream_error")
        self._account.write()
        body = refusal.line.refusal(refusal.status, refusal.body, self._request.request_id)
        advice = [(name.encode(), value.encode()) for name in _PASSED_ON if (value := refusal.header(name))]
        await self._request.reply(refusal.status, body, JSON, *self._account.headers(), *advice)

    def close(self) -> None:
        self._unwatch()
        if self._opened is not None:
            self._opened.close(self._account.usage.total if self._account.status < 400 else 0)
        self._account.write()
