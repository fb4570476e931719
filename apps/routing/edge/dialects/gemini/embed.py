"""`:embedContent` and `:batchEmbedContents`, the formats: Google's callers ask any model for vectors."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import read_controls
from apps.routing.edge.dialects.embedding import EMBEDDINGS, Embedder
from apps.routing.edge.dialects.gemini.contents import held, listed
from apps.routing.edge.dialects.gemini.generate import called, refused
from apps.routing.edge.dialects.gemini.wire import error_object, find_reply
from apps.routing.edge.dialects.openai.plain import no_conversation
from apps.routing.edge.dialects.purposes import Text, fitted, purpose_of
from apps.routing.edge.dialects.speech import CannotExpress, Light, Stream, WholeBody, Writer, decoded
from apps.routing.edge.reply import Failed, WholeReply
from apps.routing.edge.splice import joined, members_of
from apps.routing.edge.usage import Usage
from brokle.edge.http import Request
from brokle.edge.protocols import ErrorShape
from brokle.kernel.errors import BadRequest

ONE: Final = "embedContent"
MANY: Final = "batchEmbedContents"
EMBED: Final = "gemini.embed"
BATCH_EMBED: Final = "gemini.batch_embed"

_OURS: Final = ("brokle", "drop_unsupported")
_TASK: Final = "taskType"
_PLACED: Final = frozenset(
    {"model", "content", "outputDimensionality", "output_dimensionality", _TASK, "task_type", "title", *_OURS}
)
_BYTES_PER_TOKEN: Final = 4
_encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any: Final = msgspec.json.Decoder(dict[str, Any])


class EmbedFormat(WholeBody):
    error_shape: ErrorShape = staticmethod(refused)

    def __init__(self, name: str, verb: str) -> None:
        self.name = name
        self.endpoint = self.operation = verb

    def read_ask(self, request: Request, body: bytes) -> Ask:
        members = decoded(body, _decoder)
        if not {"content", "requests"} & members.keys():
            raise BadRequest("content is not specified", field="content" if self.operation == ONE else "requests")
        drops = bytes(members.get("drop_unsupported", b"")) == b"true"
        controls = read_controls(request.headers, bytes(members.get("brokle", b"")), drops_unsupported=drops)
        model, _ = called(request.path)
        size = sum(len(bytes(members.get(name, b""))) for name in ("content", "requests"))
        return Ask(model, body, controls, no_conversation, input_size=size, output_bound=0)

    def known_usage(self, ask: Ask) -> Usage | None:
        """Not every edition of the answer counts."""
        return Usage(input=-(-ask.input_size // _BYTES_PER_TOKEN), is_estimated=True)

    def relayed(self, ask: Ask, model: str) -> bytes:
        """The caller's own bytes, but where the model's name stands in them again."""
        members = members_of(ask.body)
        told = msgspec.Raw(_encode(f"models/{model.removeprefix('models/')}"))
        is_ours = [members.pop(name) for name in _OURS if name in members]
        is_changed = bool(is_ours) or _rename(members, told)
        if "requests" in members:
            each = [members_of(one) for one in msgspec.json.decode(members["requests"], type=list[msgspec.Raw])]
            renamed = [_rename(one, told, wants=True) for one in each]
            if any(renamed):
                is_changed = True
                members["requests"] = msgspec.Raw(b"[%b]" % b",".join(joined(one) for one in each))
        return joined(members) if is_changed else ask.body

    def find_light(self, body: bytes) -> Light | None:
        reply = find_reply(body)
        if reply is None:
            return None
        usage = reply.usage_metadata.buckets() if reply.usage_metadata is not None else None
        return Light(usage, b"", is_error=reply.is_error)

    def passage(self, ask: Ask, metadata: Callable[[], bytes] | None) -> Stream:
        raise CannotExpress(self.endpoint, "a stream")

    def write_whole(self, reply: WholeReply, ask: Ask) -> bytes:
        raise CannotExpress(self.endpoint, "this provider")

    def writer(self, ask: Ask) -> Writer:
        raise CannotExpress(self.endpoint, "this provider")

    def refusal(self, failure: Failed, request_id: str) -> bytes:
        return error_object(failure)


class EmbeddingOfContents:
    """One caller's contents, said as texts to one provider and answered as Google would."""

    operation = EMBEDDINGS

    __slots__ = ("_embedder", "_is_batch", "_size")

    def __init__(self, embedder: Embedder, verb: str) -> None:
        self._embedder = embedder
        self._is_batch = verb == MANY
        self._size = 0

    def write(self, body: bytes, model: str, title: str, *, drops_unsupported: bool) -> bytes:
        whole = decoded(body, _any)
        asked = listed(whole.get("requests"), "requests") if self._is_batch else [whole]
        if not asked:
            raise BadRequest("requests is empty", field="requests")
        texts = [_text(one, title) for one in asked]
        for name in sorted({name for one in asked for name in one.keys() - _PLACED}):
            if not drops_unsupported:
                raise CannotExpress(name, title)
        sizes = {held(one, "outputDimensionality") for one in asked}
        if len(sizes) > 1 or not all(size is None or isinstance(size, int) for size in sizes):
            raise BadRequest("outputDimensionality is one number for all requests", field="outputDimensionality")
        self._size = sum(len(text.text.encode()) for text in texts)
        told = fitted(texts, self._embedder.words(model), _TASK, title, drops_unsupported=drops_unsupported)
        return self._embedder.write(told, sizes.pop(), model)

    def answer(self, body: bytes) -> tuple[bytes, Usage]:
        vectors, usage = self._embedder.read(body)
        if usage is None:
            usage = Usage(input=-(-self._size // _BYTES_PER_TOKEN), is_estimated=True)
        found = [{"values": vector} for vector in vectors]
        said: dict[str, Any] = {"embeddings": found} if self._is_batch else {"embedding": found[0] if found else {}}
        return _encode({**said, "usageMetadata": {"promptTokenCount": usage.all_input}}), usage


def _rename(members: dict[str, msgspec.Raw], told: msgspec.Raw, *, wants: bool = False) -> bool:
    """`wants`: where Google wants the name in each request, also where the caller left it out."""
    if not wants and "model" not in members:
        return False
    is_other = bytes(members.get("model", b"")) != bytes(told)
    members["model"] = told
    return is_other


def _text(one: dict[str, Any], provider: str) -> Text:
    content = one.get("content")
    parts = listed(content.get("parts"), "content.parts") if isinstance(content, dict) else []
    if not parts:
        raise BadRequest("content is not specified", field="content")
    for part in parts:
        odd = next((name for name in part if name != "text"), "")
        if odd or not isinstance(part.get("text"), str):
            raise CannotExpress(f"content.parts.{odd or 'text'}", provider)
    title = one.get("title") or ""
    if not isinstance(title, str):
        raise BadRequest("title is a text", field="title")
    return Text("\n".join(part["text"] for part in parts), purpose_of(held(one, _TASK), _TASK), title)
