"""`/v1/responses/{id}`: answers that a provider has kept are shown and deleted there; we keep none."""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from apps.routing.edge.attempts import without_key
from apps.routing.edge.books import Books
from apps.routing.edge.doors import Answer
from apps.routing.edge.own_keys import OwnKeys, find_own_keys
from apps.routing.edge.record import RequestRecord, encode
from apps.routing.edge.upstreams import Upstream
from brokle.edge.egress import Limits
from brokle.edge.http import Header, Request
from brokle.edge.spool import TELEMETRY, Spool, UnableToSpool, recorder
from brokle.kernel.errors import BadRequest, BrokleError, NotFound, Unavailable, UpstreamFailed, UpstreamTimedOut

PREFIX: Final = "/v1/responses/"
METHODS: Final = frozenset({"GET", "DELETE"})

_CALLS: Final = frozenset({("GET", ""), ("DELETE", ""), ("GET", "input_items")})
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_QUERY: Final = re.compile(rb"[A-Za-z0-9_.~%&=\[\]+-]{0,2000}")
_LIMITS: Final = Limits(first_byte_s=60, idle_s=60, total_s=120)
_NAMED: Final = b"x-brokle-provider"
_VERBS: Final = {"GET": "retrieve", "DELETE": "delete"}


class NoSuchAnswer(NotFound):
    code, title = "response_not_found", "No such answer is kept"


class _Call:
    """What is known of one such call, for its line in the log."""

    __slots__ = ("asked", "at", "error_code", "is_own_key", "provider", "status")

    def __init__(self) -> None:
        self.at = datetime.now(UTC)
        self.asked = 0
        self.status, self.error_code, self.provider = 499, "client_closed_request", ""
        self.is_own_key = False

    def ended(self, status: int, error_code: str = "") -> None:
        self.status, self.error_code = status, error_code


class KeptAnswers:
    def __init__(self, spool: Spool, books: Books) -> None:
        self._books = books
        self._record = recorder(spool, TELEMETRY, "request")

    async def answer(self, request: Request) -> None:
        call = _Call()
        try:
            await self._answer(request, call)
        except BrokleError as error:
            call.ended(error.status, error.code)
            raise
        finally:
            with suppress(UnableToSpool):
                self._record(encode(_line(request, call)))

    async def _answer(self, request: Request, call: _Call) -> None:
        """An id does not say who gave it: providers are asked one after the other, or the one that is named."""
        path = _path(request)
        own_keys = find_own_keys(request, self._books.of(request.principal.project_id))
        keepers = self._keepers(request)
        failed: tuple[int, bytes, bytes] | None = None
        problem: BrokleError | None = None
        for upstream in keepers:
            call.asked += 1
            call.provider, call.is_own_key = upstream.provider, upstream.provider in own_keys
            try:
                status, body, kind = await _asked(upstream, request, path, own_keys)
            except (Unavailable, UpstreamFailed, UpstreamTimedOut) as error:
                problem = error
                continue
            if status < 400:
                call.ended(status)
                await request.reply(status, body, (b"content-type", kind), *_told(upstream))
                return
            if status != 404:
                failed = status, body, kind
        if failed is not None:
            call.ended(failed[0], "upstream_error")
            await request.reply(failed[0], failed[1], (b"content-type", failed[2]))
            return
        if problem is not None:
            raise problem
        raise NoSuchAnswer(f"None of {len(keepers)} providers that keep answers has this one", field="response_id")

    def _keepers(self, request: Request) -> list[Upstream]:
        principal = request.principal
        found = self._books.of(principal.project_id).keepers(principal.allowed_models)
        named = request.headers.get(_NAMED, b"").decode(errors="replace")
        found = [upstream for upstream in found if named in {"", upstream.provider}]
        if not found:
            raise NoSuchAnswer(
                "Answers are kept by providers that speak Responses themselves, and this key reaches none"
                + (f" of the name `{named[:100]}`" if named else ""),
                field="response_id",
            )
        return found


def _path(request: Request) -> tuple[str, str]:
    """What stands behind the provider's own address of answers, and the query."""
    answer_id, _, rest = request.path.removeprefix(PREFIX).partition("/")
    if not _ID.fullmatch(answer_id) or (request.method, rest) not in _CALLS:
        raise NotFound("Known are GET and DELETE of an answer's id, and GET of its input_items")
    query: bytes = request.scope["query_string"]
    if not _QUERY.fullmatch(query):
        raise BadRequest("The query string is not valid")
    if request.query().get("stream", "false").lower() != "false":
        raise BadRequest("A kept answer is not streamed; leave `stream` out", field="stream")
    return f"/{answer_id}{'/' + rest if rest else ''}", query.decode()


async def _asked(
    upstream: Upstream, request: Request, path: tuple[str, str], own_keys: OwnKeys
) -> tuple[int, bytes, bytes]:
    """With every key of this environment until one knows the answer: keys may belong to different accounts."""
    url = upstream.place_of_answers(*path)
    last = 404, b"", b""
    now = asyncio.get_running_loop().time()
    for door in upstream.doors_for(own_keys, request.principal.environment_id, now):
        answer: Answer = await door.call(request.method, url, _LIMITS)
        try:
            body, kind = await answer.read(), answer.header("content-type", "application/json")
        finally:
            answer.close()
        if answer.status >= 400:
            body = without_key(body, door.secret)
        last = answer.status, body, kind.encode("latin-1", "replace")
        if answer.status < 400:
            break
    return last


def _line(request: Request, call: _Call) -> RequestRecord:
    """Free of cost: what such an answer cost was told when it was given."""
    principal = request.principal
    about = "input_items" if request.path.endswith("/input_items") else _VERBS[request.method]
    return RequestRecord(
        request_id=request.request_id,
        organization_id=principal.organization_id,
        project_id=principal.project_id,
        environment_id=principal.environment_id,
        key_id=principal.key_id,
        at=call.at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        endpoint=f"responses.{about}",
        model_requested="",
        model="",
        provider=call.provider,
        status=call.status,
        error_code=call.error_code,
        latency_ms=round(request.elapsed_ms(), 3),
        attempts=call.asked,
        cache="off",
        is_own_key=call.is_own_key,
        user_agent=request.headers.get(b"user-agent", b"").decode(errors="replace")[:200],
    )


def _told(upstream: Upstream) -> list[Header]:
    return [(b"x-brokle-provider", upstream.provider.encode("ascii", "replace"))]
