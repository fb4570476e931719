"""`POST /v1/chat/completions`."""

import asyncio
from time import perf_counter_ns
from typing import Final

import msgspec

from apps.routing.edge.account import Account
from apps.routing.edge.admission import Admission, Estimate
from apps.routing.edge.attempts import Attempts, Opened, Refusal
from apps.routing.edge.books import Books
from apps.routing.edge.dialects import openai
from apps.routing.edge.dialects.openai import Ask
from apps.routing.edge.plan import ModelNotFound, Plan
from apps.routing.edge.splice import Renaming, joined, members_of, with_last_member
from apps.routing.edge.stream import EventTooLarge, Passage
from apps.routing.edge.upstreams import Answer, Upstream
from apps.routing.edge.usage import Usage
from brokle.edge.http import JSON, ClientGone, Header, Request
from brokle.edge.runtime import Runtime
from brokle.edge.spool import MONEY, recorder
from brokle.kernel.errors import BrokleError, UpstreamFailed

_SSE: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_PASSED_ON: Final = ("retry-after", "retry-after-ms", "x-should-retry")
_raw: Final = msgspec.json.Encoder().encode


class Chat:
    def __init__(self, runtime: Runtime, books: Books) -> None:
        self._spool = runtime.spool
        self._limiter = runtime.limiter
        self._books = books
        self._record = recorder(runtime.spool, MONEY, "request")

    async def handle(self, request: Request) -> None:
        self._spool.check_room(MONEY)
        body = await request.body()
        ask = openai.read_ask(body)
        allowed = request.principal.allowed_models
        if allowed and ask.model not in allowed:
            raise ModelNotFound(ask.model)
        plan = self._books.of(request.principal.project_id).plan(ask.model)
        admission = Admission(self._limiter)
        account = Account(request, ask, plan, self._record)
        call = Call(request, ask, body, plan, account)
        try:
            await admission.take(request, plan, Estimate(account.estimated_input, ask.output_bound))
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


class Call:
    """One chat completion from parsed body to record."""

    __slots__ = ("_account", "_answer", "_ask", "_body", "_is_gone", "_plan", "_request")

    def __init__(self, request: Request, ask: Ask, body: bytes, plan: Plan, account: Account) -> None:
        self._request, self._ask, self._body, self._plan, self._account = request, ask, body, plan, account
        self._answer: Answer | None = None
        self._is_gone = False

    async def run(self) -> None:
        is_stream = bool(self._ask.stream)
        attempts = self._account.attempts = Attempts(
            self._plan, self._ask, self._body_for, self._request.principal.environment_id, is_stream=is_stream
        )
        opened = await attempts.open()
        self._account.upstream, self._answer = opened.upstream, opened.answer
        self._account.ttft_ms = self._request.elapsed_ms()
        if is_stream:
            await self._stream(opened)
        else:
            await self._whole(opened)

    async def _whole(self, opened: Opened) -> None:
        """Recorded before the caller hears of it: what was acknowledged is never lost."""
        began_ns = perf_counter_ns()
        body = await opened.answer.read()
        self._account.body_ns = perf_counter_ns() - began_ns
        reply = openai.find_reply(body)
        if reply is None:
            raise UpstreamFailed(f"{opened.upstream.label} did not answer with JSON")
        self._account.settle(
            reply.usage.buckets() if reply.usage is not None else self._account.guess(answered_bytes=len(body))
        )
        name = bytes(reply.model)
        if name and name != _raw(self._ask.model):
            body = Renaming(name, self._ask.model).apply(body)
        if self._account.wants_metadata:
            body = with_last_member(body, b"brokle", self._account.metadata())
        self._account.write()
        await self._request.reply(opened.answer.status, body, JSON, *self._account.final_headers())

    async def _stream(self, opened: Opened) -> None:
        passage = Passage(self._ask.model, wants_usage=self._ask.wants_usage, metadata=None)
        if self._account.wants_metadata:
            passage.metadata = lambda: self._metadata_after(passage)
        await self._request.start(200, *_SSE, *self._account.headers())
        watch = asyncio.create_task(self._watch(opened))
        try:
            await self._relay(opened, passage)
        finally:
            watch.cancel()
            self._account.settle(self._used(passage))

    async def _relay(self, opened: Opened, passage: Passage) -> None:
        chunk = opened.first
        try:
            while chunk:
                out = passage.feed(chunk)
                if out:
                    await self._request.chunk(out)
                if passage.is_failed:
                    break
                chunk = await opened.answer.next_chunk()
        except (BrokleError, EventTooLarge) as error:
            if self._is_gone:
                raise ClientGone from error
            await self._break_off(passage)
            return
        if passage.is_failed:
            self._account.fail(502, "upstream_error")
            self._end(passage)
            await self._request.finish()
            return
        last = passage.finish()
        if not passage.is_done:
            await self._break_off(passage)
            return
        self._end(passage)
        await self._request.finish(last)

    async def _break_off(self, passage: Passage) -> None:
        """The upstream ended in the middle: said in the stream itself, since a stream that just ends looks whole."""
        self._account.fail(502, "upstream_interrupted")
        self._end(passage)
        error = {
            "message": "The upstream service broke off its answer",
            "type": "server_error",
            "param": None,
            "code": "upstream_interrupted",
        }
        await self._request.finish(b"data: " + _raw({"error": error}) + b"\n\n")

    def _end(self, passage: Passage) -> None:
        self._account.settle(self._used(passage))
        self._account.write()

    def _used(self, passage: Passage) -> Usage:
        """Where the upstream said nothing, an event is taken for a token."""
        return passage.usage or self._account.guess(output_tokens=passage.events)

    def _metadata_after(self, passage: Passage) -> bytes:
        self._account.settle(self._used(passage))
        return self._account.metadata()

    async def _watch(self, opened: Opened) -> None:
        """Whoever leaves stops the upstream too: nobody pays for words that nobody reads."""
        await self._request.gone()
        self._is_gone = True
        opened.answer.close()

    async def refuse(self, refusal: Refusal) -> None:
        """The upstream's own words, status and advice; only what carried them is ours."""
        reply = openai.find_reply(refusal.body)
        self._account.fail(refusal.status, "upstream_error")
        self._account.write()
        body = refusal.body
        if reply is None or not reply.is_error:
            body = _wrapped(refusal)
        advice = [(name.encode(), value.encode()) for name in _PASSED_ON if (value := refusal.header(name))]
        await self._request.reply(refusal.status, body, JSON, *self._account.headers(), *advice)

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        self._account.write()

    def _body_for(self, upstream: Upstream) -> bytes:
        """The caller's own bytes, but for the model's name there and, in a stream, the wish to know the usage."""
        ask = self._ask
        asks_usage = bool(ask.stream) and not ask.wants_usage
        if upstream.model == ask.model and not asks_usage and b'"brokle"' not in self._body:
            return self._body
        members = members_of(self._body)
        members.pop("brokle", None)
        members["model"] = msgspec.Raw(_raw(upstream.model))
        if asks_usage:
            options = msgspec.json.decode(members.get("stream_options", b"null")) or {}
            members["stream_options"] = msgspec.Raw(_raw({**options, "include_usage": True}))
        return joined(members)


def _wrapped(refusal: Refusal) -> bytes:
    """What is not an error of this dialect is told in one, its text kept."""
    text = refusal.body[:2000].decode(errors="replace").strip() or f"The upstream service answered {refusal.status}"
    return _raw({"error": {"message": text, "type": "upstream_error", "param": None, "code": None}})
