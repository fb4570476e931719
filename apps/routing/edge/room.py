from collections.abc import Iterator
from typing import Any

import msgspec

from apps.routing.edge import kept
from apps.routing.edge.books import Books
from apps.routing.edge.calls import Switchboard
from apps.routing.edge.counts import Counts
from apps.routing.edge.deployments import PREFIX as DEPLOYMENTS
from apps.routing.edge.deployments import Deployments, twins
from apps.routing.edge.dialects.anthropic.counting import estimate
from apps.routing.edge.dialects.anthropic.headers import adorned
from apps.routing.edge.dialects.anthropic.messages import CountFormat, MessagesFormat
from apps.routing.edge.dialects.gemini.generate import PREFIX
from apps.routing.edge.dialects.openai.chat import ChatFormat
from apps.routing.edge.dialects.openai.completions import CompletionsFormat
from apps.routing.edge.dialects.openai.forms import FormFormat
from apps.routing.edge.dialects.openai.plain import (
    PlainFormat,
    by_nothing,
    by_pictures,
    by_searches,
    by_sound,
    by_tokens,
)
from apps.routing.edge.dialects.responses.responses import ResponsesFormat
from apps.routing.edge.dialects.speech import Format
from apps.routing.edge.kept import KeptAnswers
from apps.routing.edge.models import Models
from apps.routing.edge.record import meter
from apps.routing.edge.verbs import GENERATE, Verbs
from brokle.edge import protocols
from brokle.edge.dispatch import Endpoint
from brokle.edge.http import Adorn, Request
from brokle.edge.protocols import ErrorShape
from brokle.edge.rooms import Notice, Room
from brokle.edge.runtime import Runtime
from brokle.edge.sinks import Table, Usage

_OPENAI: dict[str, Format] = {
    "/v1/chat/completions": ChatFormat(),
    "/v1/completions": CompletionsFormat(),
    "/v1/responses": ResponsesFormat(),
    "/v1/embeddings": PlainFormat("embeddings", by_tokens),
    "/v1/images/generations": PlainFormat("images.generations", by_pictures),
    "/v1/moderations": PlainFormat("moderations", by_nothing),
    "/v1/rerank": PlainFormat("rerank", by_searches),
    "/v1/audio/speech": PlainFormat("audio.speech", by_tokens, is_binary=True, says_characters=True),
    "/v1/images/edits": FormFormat("images.edits", by_pictures),
    "/v1/audio/transcriptions": FormFormat("audio.transcriptions", by_sound, is_binary=True),
    "/v1/audio/translations": FormFormat("audio.translations", by_sound, is_binary=True),
}
_GET = frozenset({"GET"})
_GET_OR_POST = frozenset({"GET", "POST"})
_DECISIONS_TOLD = 20
"""Of one batch; a watcher sees what happens, the table holds all of it."""
_TOLD = {
    "request_id": "",
    "route": "",
    "strategy": "",
    "provider": "",
    "model": "",
    "attempt": 0,
    "status": 0,
    "cause": "",
}


def open_room(runtime: Runtime) -> list[Endpoint]:
    books = Books(runtime)
    switchboard, models = Switchboard(runtime, books), Models(books)
    counts = Counts(switchboard, runtime.limiter, CountFormat(), estimate)
    verbs = Verbs(switchboard, runtime.limiter)

    def endpoint(path: str, spoken: Format, adorn: Adorn | None = None) -> Endpoint:
        async def handle(request: Request) -> None:
            await switchboard.answer(request, spoken)

        return Endpoint(path, handle, "gateway", spoken.error_shape, meters_itself=True, adorn=adorn)

    async def below_models(request: Request) -> None:
        """A model to be looked up, or one that is asked in Google's way."""
        await (models.get_model(request) if request.method == "GET" else verbs.answer(request))

    below = Endpoint("/v1/models/", below_models, "gateway", methods=_GET_OR_POST, meters_itself=True, shape_of=_beside)

    openai = [
        *(endpoint(path, spoken) for path, spoken in _OPENAI.items()),
        Endpoint(kept.PREFIX, KeptAnswers(runtime.spool, books).answer, "gateway", protocols.openai, kept.METHODS),
        Endpoint("/v1/models", models.list_models, "gateway", protocols.openai, _GET),
        below,
    ]
    deployed = Deployments(switchboard, _OPENAI).answer
    return [
        *openai,
        *twins(openai),
        Endpoint(DEPLOYMENTS, deployed, "gateway", protocols.openai, meters_itself=True),
        endpoint("/v1/messages", MessagesFormat(), adorned),
        Endpoint(
            "/v1/messages/count_tokens",
            counts.answer,
            "gateway",
            protocols.anthropic,
            meters_itself=True,
            adorn=adorned,
        ),
        Endpoint(PREFIX, verbs.answer, "gateway", GENERATE.error_shape, meters_itself=True),
    ]


def _beside(request: Request) -> ErrorShape:
    """Who asks a model does it in Google's way, who looks one up in OpenAI's."""
    return GENERATE.error_shape if request.method == "POST" else protocols.openai


def announce(records: dict[str, list[bytes]]) -> Iterator[Notice]:
    """One notice an environment and batch: how many requests became readable, and the last of them."""
    latest: dict[str, tuple[int, dict[str, Any]]] = {}
    for payload in records.get("request", []):
        record = msgspec.json.decode(payload)
        environment = record["environment_id"]
        latest[environment] = (latest.get(environment, (0, {}))[0] + 1, record)
    for environment, (count, record) in latest.items():
        last = {name: record[name] for name in ("request_id", "model", "provider", "status", "latency_ms")}
        yield f"requests:{environment}", "metrics.updated", {"requests": count, "last": last}
    for payload in records.get("attempt", [])[-_DECISIONS_TOLD:]:
        decision = msgspec.json.decode(payload)
        told = {name: decision.get(name, "") for name in _TOLD}
        yield f"requests:{decision['environment_id']}", "routing.decision", told


ROOM = Room(
    name="routing",
    open=open_room,
    tables=(Table("request", "request_logs"), Table("attempt", "ai_routing_metrics")),
    usages=(Usage("request", meter),),
    announce=announce,
)
