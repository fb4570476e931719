"""`POST /v1beta/models/{model}:generateContent`, the format: how callers ask, and how they are answered."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import read_controls
from apps.routing.edge.conversation import NO_JSON, Conversation
from apps.routing.edge.dialects.gemini.candidates import GenerateWriter, write_whole
from apps.routing.edge.dialects.gemini.passage import Passage
from apps.routing.edge.dialects.gemini.requests import read_request
from apps.routing.edge.dialects.gemini.wire import error_object, find_reply
from apps.routing.edge.dialects.speech import Light, WholeBody, Writer, decoded
from apps.routing.edge.reply import Failed, WholeReply
from apps.routing.edge.splice import joined, members_of
from apps.routing.edge.usage import Usage
from brokle.edge.http import Request
from brokle.edge.protocols import ErrorShape, gemini
from brokle.kernel.errors import BadRequest, BrokleError, NotFound

GENERATE: Final = "gemini.generate"
COUNT: Final = "gemini.count_tokens"
PREFIX: Final = "/v1beta/models/"
"""Newer editions of Google's SDK leave the word out: below `/v1/models/` these addresses are known too."""
STREAM: Final = "streamGenerateContent"

_OURS: Final = ("brokle", "drop_unsupported")
_SIGNS: Final = {
    "image-input": re.compile(rb'"mime_?[tT]ype"\s*:\s*"image/'),
    "audio-input": re.compile(rb'"mime_?[tT]ype"\s*:\s*"audio/'),
    "tools": re.compile(rb'"function_?[dD]eclarations"\s*:\s*\[\s*\{'),
    "structured-output": re.compile(rb'"response_?(?:[jJ]son_?)?[sS]chema"\s*:\s*\{'),
}
_NO_KEY: Final = "Send the key in the header x-goog-api-key; a key in the address (?key=) is not read"


class _Config(msgspec.Struct, rename="camel"):
    max_output_tokens: int | None = None
    candidate_count: int | None = None


class _LightAsk(msgspec.Struct):
    """What the gateway itself reads of a request; everything else is the provider's business."""

    contents: msgspec.Raw
    system: msgspec.Raw = msgspec.field(name="systemInstruction", default=NO_JSON)
    tools: msgspec.Raw = NO_JSON
    config: _Config | None = msgspec.field(name="generationConfig", default=None)
    brokle: msgspec.Raw = NO_JSON
    drop_unsupported: bool | None = None

    @property
    def input_size(self) -> int:
        return len(bytes(self.contents)) + len(bytes(self.system)) + len(bytes(self.tools))

    @property
    def count(self) -> int:
        return max(1, (self.config.candidate_count or 1) if self.config is not None else 1)

    @property
    def output_bound(self) -> int | None:
        return None if self.config is None else self.config.max_output_tokens


_decoder: Final = msgspec.json.Decoder(_LightAsk)


def called(path: str) -> tuple[str, str]:
    """The model and the verb of an address; a model's own name may hold `/` and `:`. Raises NotFound."""
    model, colon, verb = path.partition("/models/")[2].rpartition(":")
    if not colon or not model:
        raise NotFound("The address ends in a model and what to do with it: …/models/{model}:generateContent")
    return model, verb


def refused(error: BrokleError, request_id: str) -> bytes:
    """Google's own shape; who sent no key, or sent it where Google takes it too, hears where it belongs."""
    if error.status == 401:
        return error_object(Failed(f"{error.detail.rstrip('.')}. {_NO_KEY}", code="UNAUTHENTICATED", status=401))
    return gemini(error, request_id)


class GenerateFormat(WholeBody):
    name = GENERATE
    endpoint = "generateContent"
    operation = "generate"
    error_shape: ErrorShape = staticmethod(refused)

    def read_ask(self, request: Request, body: bytes) -> Ask:
        model, verb = called(request.path)
        light: _LightAsk = decoded(body, _decoder)
        if bytes(light.contents)[:1] not in {b"[", b"{"}:
            raise BadRequest("contents is not specified", field="contents")
        controls = read_controls(request.headers, bytes(light.brokle), drops_unsupported=bool(light.drop_unsupported))
        return Ask(
            model,
            body,
            controls,
            _conversation,
            is_stream=verb == STREAM,
            input_size=light.input_size,
            output_bound=light.output_bound,
            needs=_needs,
            light=light,
        )

    def relayed(self, ask: Ask, model: str) -> bytes:
        """The caller's own bytes: the model stands in the address."""
        light: _LightAsk = ask.light
        if not bytes(light.brokle) and light.drop_unsupported is None:
            return ask.body
        members = members_of(ask.body)
        for name in _OURS:
            members.pop(name, None)
        return joined(members)

    def find_light(self, body: bytes) -> Light | None:
        reply = find_reply(body)
        if reply is None:
            return None
        usage = reply.usage_metadata.buckets() if reply.usage_metadata is not None else None
        return Light(usage, b"", is_error=reply.is_error)

    def passage(self, ask: Ask, metadata: Callable[[], bytes] | None) -> Passage:
        return Passage(ask.light.count, metadata)

    def write_whole(self, reply: WholeReply, ask: Ask) -> bytes:
        return write_whole(reply, ask.model)

    def writer(self, ask: Ask) -> Writer:
        return GenerateWriter(ask.model)

    def refusal(self, failure: Failed, request_id: str) -> bytes:
        return error_object(failure)


class CountFormat(GenerateFormat):
    """A question about a request instead of the request: only who speaks this format can be asked."""

    name = COUNT
    endpoint = "countTokens"
    operation = "count_tokens"

    def read_ask(self, request: Request, body: bytes) -> Ask:
        """Callers send the contents alone, or the whole request under one name."""
        members = decoded(body, _members)
        whole = members.get("generateContentRequest")
        if whole is not None:
            inner = decoded(bytes(whole), _members)
            inner.pop("model", None)
            body = joined(inner | {name: members[name] for name in _OURS if name in members})
        ask = super().read_ask(request, body)
        ask.output_bound = 0
        return ask

    def relayed(self, ask: Ask, model: str) -> bytes:
        members = members_of(super().relayed(ask, model))
        if members.keys() == {"contents"}:
            return joined(members)
        named = {"model": msgspec.Raw(msgspec.json.encode(f"models/{model.removeprefix('models/')}"))}
        return joined({"generateContentRequest": msgspec.Raw(joined(named | members))})

    def find_light(self, body: bytes) -> Light | None:
        found = super().find_light(body)
        return None if found is None else Light(Usage(), b"", is_error=found.is_error)


_members: Final[Any] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _needs(body: bytes) -> frozenset[str]:
    return frozenset(name for name, sign in _SIGNS.items() if sign.search(body))


def _conversation(ask: Ask) -> Conversation:
    return read_request(ask.body, is_stream=ask.is_stream, drops_unsupported=ask.controls.drops_unsupported)
