"""`POST /v1/completions`, the format of before chat: one text in, its continuation out."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import read_controls
from apps.routing.edge.conversation import Conversation, Sampling, Text, Turn
from apps.routing.edge.dialects.openai.passage import Passage
from apps.routing.edge.dialects.openai.replies import said_finish
from apps.routing.edge.dialects.openai.wire import DONE, StreamOptions, error_object, find_reply, usage_object
from apps.routing.edge.dialects.speech import Light, WholeBody, Writer, decoded
from apps.routing.edge.dialects.sse import written
from apps.routing.edge.reply import Begun, Event, Failed, Finished, TextPiece, Used, WholeReply
from apps.routing.edge.splice import joined, members_of
from apps.routing.edge.usage import Usage
from brokle.edge.http import Request
from brokle.edge.protocols import ErrorShape, openai
from brokle.kernel.errors import BadRequest
from brokle.kernel.ids import new_id

_OURS: Final = ("brokle", "drop_unsupported")
_encode: Final = msgspec.json.Encoder().encode


class _TextAsk(msgspec.Struct):
    model: str
    prompt: msgspec.Raw
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    brokle: msgspec.Raw = msgspec.Raw(b"")
    drop_unsupported: bool | None = None

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


_decoder: Final = msgspec.json.Decoder(_TextAsk)
_KNOWN: Final = frozenset(_TextAsk.__struct_fields__)
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class CompletionsFormat(WholeBody):
    name = "openai.completions"
    endpoint = operation = "completions"
    error_shape: ErrorShape = staticmethod(openai)

    def read_ask(self, request: Request, body: bytes) -> Ask:
        light: _TextAsk = decoded(body, _decoder)
        drops = bool(light.drop_unsupported)
        return Ask(
            light.model,
            body,
            read_controls(request.headers, bytes(light.brokle), drops_unsupported=drops),
            _conversation,
            is_stream=bool(light.stream),
            input_size=len(bytes(light.prompt)),
            output_bound=light.max_tokens if light.max_tokens is not None else 16,
            user=light.user or "",
            wants_usage=light.wants_usage,
            light=light,
        )

    def relayed(self, ask: Ask, model: str) -> bytes:
        members = members_of(ask.body)
        for name in _OURS:
            members.pop(name, None)
        members["model"] = msgspec.Raw(_encode(model))
        if ask.is_stream and not ask.wants_usage:
            options = msgspec.json.decode(members.get("stream_options", b"null")) or {}
            members["stream_options"] = msgspec.Raw(_encode({**options, "include_usage": True}))
        return joined(members)

    def find_light(self, body: bytes) -> Light | None:
        reply = find_reply(body)
        if reply is None:
            return None
        usage = reply.usage.buckets() if reply.usage is not None else None
        return Light(usage, bytes(reply.model), is_error=reply.is_error)

    def passage(self, ask: Ask, metadata: Callable[[], bytes] | None) -> Passage:
        return Passage(ask.model, wants_usage=ask.wants_usage, metadata=metadata)

    def write_whole(self, reply: WholeReply, ask: Ask) -> bytes:
        texts: dict[int, list[str]] = {}
        ends: dict[int, str] = {}
        usage = Usage()
        for event in reply.events:
            if isinstance(event, TextPiece):
                texts.setdefault(event.choice, []).append(event.text)
            elif isinstance(event, Finished):
                ends[event.choice] = said_finish(event.reason)
            elif isinstance(event, Used):
                usage = event.usage
        choices = [_choice(index, "".join(texts.get(index, ())), ends[index]) for index in sorted(ends)]
        return _encode({**_head(ask.model), "choices": choices, "usage": usage_object(usage)})

    def writer(self, ask: Ask) -> Writer:
        return _TextWriter(ask.model, wants_usage=ask.wants_usage)

    def refusal(self, failure: Failed, request_id: str) -> bytes:
        return error_object(failure)


class _TextWriter:
    __slots__ = ("_head", "_wants_usage")

    def __init__(self, asked: str, *, wants_usage: bool) -> None:
        self._head = _head(asked)
        self._wants_usage = wants_usage

    def write(self, event: Event) -> bytes:
        if isinstance(event, Begun) and event.id:
            self._head["id"] = event.id
        if not isinstance(event, TextPiece):
            return b""
        return written(_encode({**self._head, "choices": [_choice(event.choice, event.text, None)]}))

    def end(self, finished: list[Finished], usage: Usage, metadata: bytes) -> bytes:
        ends = [_choice(one.choice, "", said_finish(one.reason)) for one in finished or [Finished("stop")]]
        last: dict[str, Any] = {**self._head, "choices": ends}
        if metadata:
            last["brokle"] = msgspec.Raw(metadata)
        out = written(_encode(last))
        if self._wants_usage:
            out += written(_encode({**self._head, "choices": [], "usage": usage_object(usage)}))
        return out + DONE

    def fail(self, failure: Failed) -> bytes:
        return written(error_object(failure))


def _head(asked: str) -> dict[str, Any]:
    return {"id": new_id("cmpl"), "object": "text_completion", "created": int(time.time()), "model": asked}


def _choice(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _conversation(ask: Ask) -> Conversation:
    said: _TextAsk = ask.light
    prompt = msgspec.json.decode(said.prompt)
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise BadRequest("This provider takes one prompt as text", field="prompt")
    stop = [said.stop] if isinstance(said.stop, str) else said.stop or []
    rest = {name: value for name, value in _members(ask.body).items() if name not in _KNOWN}
    return Conversation(
        turns=[Turn("user", [Text(prompt)])],
        sampling=Sampling(
            said.temperature,
            said.top_p,
            None,
            said.seed,
            said.frequency_penalty,
            said.presence_penalty,
            stop,
        ),
        max_output=ask.output_bound,
        count=said.n or 1,
        user=ask.user,
        is_stream=ask.is_stream,
        drops_unsupported=ask.controls.drops_unsupported,
        rest={name: value for name, value in rest.items() if bytes(value) != b"null"},
    )
