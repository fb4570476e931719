"""`POST /v1/responses`, the format: how callers ask, and how they are answered."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import read_controls
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.openai.wire import error_object
from apps.routing.edge.dialects.responses.passage import Passage
from apps.routing.edge.dialects.responses.requests import read_request
from apps.routing.edge.dialects.responses.streams import Ending, ResponsesWriter, write_whole
from apps.routing.edge.dialects.responses.wire import RESPONSES, LightAsk, find_reply, read_ask
from apps.routing.edge.dialects.speech import Light, WholeBody, Writer
from apps.routing.edge.reply import Failed, WholeReply
from apps.routing.edge.splice import joined, members_of
from brokle.edge.http import Request
from brokle.edge.protocols import ErrorShape, openai

_OURS: Final = ("brokle", "drop_unsupported")
_SIGNS: Final = {
    "image-input": re.compile(rb'"type"\s*:\s*"input_image"'),
    "audio-input": re.compile(rb'"type"\s*:\s*"input_audio"'),
    "tools": re.compile(rb'"tools"\s*:\s*\[\s*\{'),
    "structured-output": re.compile(rb'"type"\s*:\s*"json_schema"'),
}
_raw: Final = msgspec.json.Encoder().encode


class ResponsesFormat(WholeBody):
    name = RESPONSES
    endpoint = "responses"
    operation = "responses"
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
            input_size=light.input_size,
            output_bound=light.max_output_tokens,
            user=light.user or light.safety_identifier or "",
            needs=_needs,
            light=light,
        )

    def relayed(self, ask: Ask, model: str) -> bytes:
        """The caller's own bytes, but for the model's name there."""
        light: LightAsk = ask.light
        if model == light.model and not bytes(light.brokle) and light.drop_unsupported is None:
            return ask.body
        members = members_of(ask.body)
        for name in _OURS:
            members.pop(name, None)
        members["model"] = msgspec.Raw(_raw(model))
        return joined(members)

    def find_light(self, body: bytes) -> Light | None:
        reply = find_reply(body)
        return None if reply is None else Light(reply.buckets(), bytes(reply.model), is_error=reply.is_error)

    def passage(self, ask: Ask, metadata: Callable[[], bytes] | None) -> Passage:
        ask.course = passage = Passage(ask.model, metadata)
        return passage

    def write_whole(self, reply: WholeReply, ask: Ask) -> bytes:
        return write_whole(reply, ask)

    def writer(self, ask: Ask) -> Writer:
        """A stream that breaks off is ended by a second writer, which goes on where the first one was."""
        if ask.course is not None:
            return Ending(ask.course)
        ask.course = writer = ResponsesWriter(ask)
        return writer

    def refusal(self, failure: Failed, request_id: str) -> bytes:
        return error_object(failure)


def _needs(body: bytes) -> frozenset[str]:
    return frozenset(name for name, sign in _SIGNS.items() if sign.search(body))


def _conversation(ask: Ask) -> Conversation:
    return read_request(ask.body, is_stream=ask.is_stream, drops_unsupported=ask.controls.drops_unsupported)
