"""`POST /v1/messages`, the format: how callers ask, and how they are answered."""

from collections.abc import Callable
from typing import Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import read_controls
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.anthropic.headers import passed_on
from apps.routing.edge.dialects.anthropic.passage import Passage
from apps.routing.edge.dialects.anthropic.replies import write_whole
from apps.routing.edge.dialects.anthropic.requests import read_request
from apps.routing.edge.dialects.anthropic.streams import MessagesWriter
from apps.routing.edge.dialects.anthropic.wire import LightAsk, error_object, find_reply, read_ask
from apps.routing.edge.dialects.speech import Light, WholeBody, Writer
from apps.routing.edge.reply import Failed, WholeReply
from apps.routing.edge.splice import joined, members_of
from apps.routing.edge.usage import Usage
from brokle.edge.http import Request
from brokle.edge.protocols import ErrorShape, anthropic
from brokle.kernel.errors import BadRequest

MESSAGES: Final = "anthropic.messages"
COUNT: Final = "anthropic.count_tokens"

_OURS: Final = ("brokle", "drop_unsupported")
_BYTES_PER_TOKEN: Final = 4
_raw: Final = msgspec.json.Encoder().encode


class MessagesFormat(WholeBody):
    name = MESSAGES
    endpoint = "messages"
    operation = "messages"
    error_shape: ErrorShape = staticmethod(anthropic)

    def read_ask(self, request: Request, body: bytes) -> Ask:
        light = read_ask(body)
        self.check(light)
        controls = read_controls(request.headers, bytes(light.brokle), drops_unsupported=bool(light.drop_unsupported))
        caller = light.caller
        controls.session = controls.session or caller.session
        return Ask(
            light.model,
            body,
            controls,
            _conversation,
            is_stream=bool(light.stream),
            input_size=light.input_size,
            output_bound=light.max_tokens,
            user=controls.user if caller.session and controls.user else caller.user,
            light=light,
            headers=passed_on(request),
        )

    def check(self, light: LightAsk) -> None:
        if light.max_tokens is None:
            raise BadRequest("max_tokens: Field required", field="max_tokens")

    def relayed(self, ask: Ask, model: str) -> bytes:
        """The caller's own bytes, but for the model's name there."""
        light: LightAsk = ask.light
        is_ours = bytes(light.brokle) or light.drop_unsupported is not None
        if model == light.model and not is_ours:
            return ask.body
        members = members_of(ask.body)
        for name in _OURS:
            members.pop(name, None)
        members["model"] = msgspec.Raw(_raw(model))
        return joined(members)

    def find_light(self, body: bytes) -> Light | None:
        reply = find_reply(body)
        if reply is None:
            return None
        usage = reply.usage.buckets() if reply.usage is not None else None
        return Light(usage, bytes(reply.model), is_error=reply.type == "error")

    def passage(self, ask: Ask, metadata: Callable[[], bytes] | None) -> Passage:
        return Passage(ask.model, metadata)

    def write_whole(self, reply: WholeReply, ask: Ask) -> bytes:
        return write_whole(reply, ask.model)

    def writer(self, ask: Ask) -> Writer:
        return MessagesWriter(ask.model, max(1, ask.input_size // _BYTES_PER_TOKEN))

    def refusal(self, failure: Failed, request_id: str) -> bytes:
        return error_object(failure, request_id)


class CountFormat(MessagesFormat):
    """A question about a request instead of the request: only who speaks this format can be asked."""

    name = COUNT
    endpoint = "messages.count_tokens"
    operation = "count_tokens"

    def check(self, light: LightAsk) -> None:
        light.max_tokens, light.stream = 0, False

    def find_light(self, body: bytes) -> Light | None:
        found = super().find_light(body)
        return None if found is None else Light(Usage(), b"", is_error=found.is_error)


def _conversation(ask: Ask) -> Conversation:
    return read_request(ask.body, is_stream=ask.is_stream, drops_unsupported=ask.controls.drops_unsupported)
