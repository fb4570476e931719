"""What is known of one call while it runs, and what is told of it: in headers, in the answer, in the log."""

from collections.abc import Callable
from contextlib import suppress
from time import time_ns
from typing import Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.attempts import Attempts, Try
from apps.routing.edge.plan import Plan
from apps.routing.edge.prices import FREE, usd_text
from apps.routing.edge.record import AttemptRecord, RequestRecord, encode, moment_text
from apps.routing.edge.upstreams import Upstream, names_of
from apps.routing.edge.usage import Usage
from brokle.edge.http import Header, Request
from brokle.edge.spool import UnableToSpool

BYTES_PER_TOKEN: Final = 4
Records = tuple[Callable[[bytes], None], Callable[[bytes], None]]
"""Where calls and where attempts are written."""

_NAMELESS: Final = names_of("", "")
_raw: Final = msgspec.json.Encoder().encode


class Account:
    __slots__ = (
        "_ask",
        "_at_ns",
        "_endpoint",
        "_is_written",
        "_plan",
        "_record",
        "_record_attempt",
        "_request",
        "attempts",
        "body_ns",
        "cost_nanos",
        "error_code",
        "status",
        "ttft_ms",
        "upstream",
        "usage",
    )

    def __init__(self, request: Request, ask: Ask, endpoint: str, plan: Plan, records: Records) -> None:
        self._request, self._ask, self._plan = request, ask, plan
        self._record, self._record_attempt = records
        self._endpoint = endpoint
        self._at_ns = time_ns()
        self._is_written = False
        self.attempts: Attempts | None = None
        self.body_ns = 0
        self.cost_nanos = 0
        self.status, self.error_code, self.ttft_ms = 200, "", 0.0
        self.upstream: Upstream | None = None
        self.usage = Usage()

    @property
    def wants_metadata(self) -> bool:
        return self._ask.controls.wants_metadata

    @property
    def estimated_input(self) -> int:
        return -(-self._ask.input_size // BYTES_PER_TOKEN)

    def fail(self, status: int, code: str) -> None:
        self.status, self.error_code = status, code

    def settle(self, usage: Usage) -> None:
        self.usage = usage
        self.cost_nanos = (self.upstream.price if self.upstream else FREE).cost_nanos(usage)

    def guess(self, *, answered_bytes: int = 0, output_tokens: int = 0) -> Usage:
        """Where the upstream said nothing: four bytes a token, and marked as a guess."""
        output = output_tokens or -(-answered_bytes // BYTES_PER_TOKEN)
        return Usage(input=self.estimated_input, output=output, is_estimated=True)

    def metadata(self) -> bytes:
        """The `brokle` object."""
        return b'{"provider":%b,"model":%b,"cost_usd":%b,"latency_ms":%.3f,"request_id":"%b"}' % (
            _raw(self.upstream.provider if self.upstream else ""),
            _raw(self.upstream.model if self.upstream else ""),
            usd_text(self.cost_nanos),
            self._request.elapsed_ms(),
            self._request.request_id.encode(),
        )

    @property
    def asked(self) -> Upstream | None:
        """Who answered, or else who was asked last."""
        return self.upstream or (self.attempts.last if self.attempts else None)

    def headers(self) -> list[Header]:
        """What is known before the answer begins."""
        upstream = self.asked
        return [
            *(upstream.names if upstream else _NAMELESS),
            (b"x-brokle-cache", b"off"),
            (b"x-brokle-attempts", b"%d" % (self.attempts.count if self.attempts else 0)),
        ]

    def final_headers(self) -> list[Header]:
        """With what is known only once the answer is whole."""
        return [
            *self.headers(),
            (b"x-brokle-cost-usd", usd_text(self.cost_nanos)),
            (b"x-brokle-overhead-ms", b"%.3f" % self._overhead_ms()),
        ]

    def write(self) -> None:
        """One line for each call, whatever became of it."""
        if not self._is_written:
            self._is_written = True
            self._record(encode(self._line()))
            if self.attempts is not None and self._plan.route:
                self._write_attempts(self.attempts.tries)

    def _write_attempts(self, tries: list[Try]) -> None:
        """Telemetry, which may be left out where the disk is full; the call itself is never held up by it."""
        with suppress(UnableToSpool):
            for number, one in enumerate(tries, start=1):
                self._record_attempt(encode(self._attempt(number, one)))

    def _overhead_ms(self) -> float:
        """What we added: all but the waiting for upstreams."""
        waited_ns = (self.attempts.waited_ns if self.attempts else 0) + self.body_ns
        return max(0.0, self._request.elapsed_ms() - waited_ns / 1e6)

    def _attempt(self, number: int, one: Try) -> AttemptRecord:
        principal, plan = self._request.principal, self._plan
        return AttemptRecord(
            request_id=self._request.request_id,
            attempt=number,
            organization_id=principal.organization_id,
            project_id=principal.project_id,
            environment_id=principal.environment_id,
            at=moment_text(self._at_ns),
            route=plan.route,
            route_version=plan.version,
            strategy=plan.strategy,
            provider=one.provider,
            model=one.model,
            status=one.status,
            cause=one.cause,
            latency_ms=one.latency_ms,
            is_chosen=one.cause == "",
            cost_usd_nanos=self.cost_nanos if one.cause == "" else 0,
        )

    def _line(self) -> RequestRecord:
        principal, headers, usage = self._request.principal, self._request.headers, self.usage
        controls, asked = self._ask.controls, self.asked
        return RequestRecord(
            request_id=self._request.request_id,
            organization_id=principal.organization_id,
            project_id=principal.project_id,
            environment_id=principal.environment_id,
            key_id=principal.key_id,
            at=moment_text(self._at_ns),
            endpoint=self._endpoint,
            model_requested=self._ask.model[:200],
            model=asked.model if asked else "",
            provider=asked.provider if asked else "",
            is_own_key=asked is not None and asked.provider in self._plan.own_keys,
            route=self._plan.route,
            status=self.status,
            latency_ms=round(self._request.elapsed_ms(), 3),
            ttft_ms=round(self.ttft_ms, 3),
            overhead_ms=0.0 if self._ask.is_stream else round(self._overhead_ms(), 3),
            stream=self._ask.is_stream,
            error_code=self.error_code,
            attempts=self.attempts.count if self.attempts else 0,
            cache="off",
            input_tokens=usage.input + usage.audio_input,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
            output_tokens=usage.output + usage.audio_output,
            reasoning_tokens=usage.reasoning,
            cost_usd_nanos=self.cost_nanos,
            price_version=self.upstream.price.version if self.upstream else "",
            user_id=(self._ask.user or controls.user)[:200],
            session_id=controls.session,
            trace_id=controls.trace_id,
            tags=controls.tags,
            user_agent=headers.get(b"user-agent", b"").decode(errors="replace")[:200],
        )
