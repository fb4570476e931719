"""`/v1/responses/{id}`: answers that a provider has kept are shown and deleted there; we keep none."""

import asyncio
import re
from typing import Final

from apps.routing.edge.books import Books
from apps.routing.edge.upstreams import Answer, Upstream
from brokle.edge.egress import Limits
from brokle.edge.http import Header, Request
from brokle.kernel.errors import BadRequest, BrokleError, NotFound, Unavailable, UpstreamFailed, UpstreamTimedOut

PREFIX: Final = "/v1/responses/"
METHODS: Final = frozenset({"GET", "DELETE"})

_CALLS: Final = frozenset({("GET", ""), ("DELETE", ""), ("GET", "input_items")})
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_QUERY: Final = re.compile(rb"[A-Za-z0-9_.~%&=\[\]+-]{0,2000}")
_LIMITS: Final = Limits(first_byte_s=60, idle_s=60, total_s=120)
_NAMED: Final = b"x-brokle-provider"


class NoSuchAnswer(NotFound):
    code, title = "response_not_found", "No such answer is kept"


class KeptAnswers:
    def __init__(self, books: Books) -> None:
        self._books = books

    async def answer(self, request: Request) -> None:
        """An id does not say who gave it: providers are asked one after the other, or the one that is named."""
        path = _path(request)
        keepers = self._keepers(request)
        failed: tuple[int, bytes, bytes] | None = None
        problem: BrokleError | None = None
        for upstream in keepers:
            try:
                status, body, kind = await _asked(upstream, request, path)
            except (Unavailable, UpstreamFailed, UpstreamTimedOut) as error:
                problem = error
                continue
            if status < 400:
                await request.reply(status, body, (b"content-type", kind), *_told(upstream))
                return
            if status != 404:
                failed = status, body, kind
        if failed is not None:
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


async def _asked(upstream: Upstream, request: Request, path: tuple[str, str]) -> tuple[int, bytes, bytes]:
    """With every key of this environment until one knows the answer: keys may belong to different accounts."""
    url = upstream.place_of_answers(*path)
    last = 404, b"", b""
    for door in upstream.doors_of(request.principal.environment_id, asyncio.get_running_loop().time()):
        answer: Answer = await door.call(request.method, url, _LIMITS)
        try:
            body, kind = await answer.read(), answer.header("content-type", "application/json")
        finally:
            answer.close()
        last = answer.status, body, kind.encode("latin-1", "replace")
        if answer.status < 400:
            break
    return last


def _told(upstream: Upstream) -> list[Header]:
    return [(b"x-brokle-provider", upstream.provider.encode("ascii", "replace"))]
