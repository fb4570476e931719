"""`POST /v1/chat/completions`, the format: how callers ask, and how they are answered."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import read_controls
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.openai.passage import Passage
from apps.routing.edge.dialects.openai.replies import write_whole
from apps.routing.edge.dialects.openai.requests import read_request
from apps.routing.edge.dialects.openai.streams import ChatWriter
from apps.routing.edge.dialects.openai.wire import LightAsk, error_object, find_reply, read_ask
from apps.routing.edge.dialects.speech import CHAT, Light, WholeBody, Writer
from apps.routing.edge.reply import Failed, WholeReply
from apps.routing.edge.splice import joined, members_of
from brokle.edge.http import Request
from brokle.edge.protocols import ErrorShape, openai

_OURS: Final = ("brokle", "drop_unsupported")
_SIGNS: Final = {
    "image-input": re.compile(rb'"type"\s*:\s*"image_url"'),
    "audio-input": re.compile(rb'"type"\s*:\s*"input_audio"'),
    "tools": re.compile(rb'"tools"\s*:\s*\[\s*\{'),
    "structured-output": re.compile(rb'"type"\s*:\s*"json_schema"'),
}
_raw: Final = msgspec.json.Encoder().encode


class ChatFormat(WholeBody):
    name = "openai.chat"
    endpoint = "chat.completions"
    operation = CHAT
    error_shape: ErrorShape = staticmethod(openai)

    def read_ask(self, request: Request, body: bytes) -> Ask:
        light = read_ask(body)
        controls = read_controls(request.headers, bytes(light.brokle), drops_unsupported=bool(light.drop_unsupported))
        return Ask(
            light.model,
            body,
            controls,
            _conversation,
            is_stream=bool(light.stream),
            input_size=len(bytes(light.messages)),
            output_bound=light.output_bound,
            user=light.user or "",
            wants_usage=light.wants_usage,
            needs=_needs,
            light=light,
        )

    def relayed(self, ask: Ask, model: str) -> bytes:
        """The caller's own bytes, but for the model's name there and, in a stream, the wish to know the usage."""
        light: LightAsk = ask.light
        asks_usage = ask.is_stream and not light.wants_usage
        is_ours = bytes(light.brokle) or light.drop_unsupported is not None
        if model == light.model and not asks_usage and not is_ours:
            return ask.body
        members = members_of(ask.body)
        for name in _OURS:
            members.pop(name, None)
        members["model"] = msgspec.Raw(_raw(model))
        if asks_usage:
            options = msgspec.json.decode(members.get("stream_options", b"null")) or {}
            members["stream_options"] = msgspec.Raw(_raw({**options, "include_usage": True}))
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
        return write_whole(reply, ask.model)

    def writer(self, ask: Ask) -> Writer:
        return ChatWriter(ask.model, wants_usage=ask.wants_usage)

    def refusal(self, failure: Failed, request_id: str) -> bytes:
        return error_object(failure)


def _needs(body: bytes) -> frozenset[str]:
    return frozenset(name for name, sign in _SIGNS.items() if sign.search(body))


def _conversation(ask: Ask) -> Conversation:
    return read_request(ask.body, is_stream=ask.is_stream, drops_unsupported=ask.controls.drops_unsupported)
