"""What every dialect and every wire format can do; each is a package of the same few modules.

A *format* is how callers speak to us, a *dialect* how a provider is spoken to. Where a dialect also understands the
caller's format as it is, bytes are relayed; else the format reads a `Conversation` and the dialect writes it, the
dialect reads `Event`s and the format writes those.
"""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.signing import Signer
from apps.routing.edge.reply import Event, Failed, Finished, WholeReply
from apps.routing.edge.splice import joined, members_of
from apps.routing.edge.usage import Usage
from brokle.edge.egress import EgressClient
from brokle.edge.http import Request
from brokle.edge.protocols import ErrorShape
from brokle.kernel.errors import BadRequest

if TYPE_CHECKING:
    from apps.routing.edge.dialects.embedding import Embedder
    from apps.routing.edge.dialects.pictures import Painter

CHAT: Final = "chat"
"""The operation all formats of conversation share; embeddings, images and the like have their own names."""

Pairs = list[tuple[str, str]]


class CannotExpress(BadRequest):
    """What the chosen provider has no way to be told; said by the name the caller gave it."""

    code = "unsupported_parameter"

    def __init__(self, field: str, dialect: str, why: str = "") -> None:
        because = f" ({why})" if why else ""
        super().__init__(
            f"`{field}` cannot be said to {dialect}{because}; leave it out, or send `drop_unsupported: true`",
            field=field,
        )


class Missing:
    """Collects what a dialect cannot express: refused at once, or left out where the caller allows that."""

    __slots__ = ("_dialect", "_drops", "dropped")

    def __init__(self, conversation: Conversation, dialect: str) -> None:
        self._dialect = dialect
        self._drops = conversation.drops_unsupported
        self.dropped: list[str] = []

    def note(self, field: str, why: str = "") -> None:
        if not self._drops:
            raise CannotExpress(field, self._dialect, why)
        self.dropped.append(field)

    def note_wishes(self, wishes: dict[str, bool]) -> None:
        for name, is_wished in wishes.items():
            if is_wished:
                self.note(name)

    def note_fine_control(self, conversation: Conversation) -> None:
        """What Claude has no way to be told, wherever it is reached, and Converse has not for any model."""
        sampling = conversation.sampling
        wishes = {
            "n": conversation.count != 1,
            "logprobs": conversation.top_logprobs is not None,
            "modalities": conversation.modalities not in ([], ["text"]),
            "seed": sampling.seed is not None,
            "frequency_penalty": bool(sampling.frequency_penalty),
            "presence_penalty": bool(sampling.presence_penalty),
            "logit_bias": bytes(sampling.logit_bias) not in {b"", b"null", b"{}"},
        }
        self.note_wishes(wishes)

    def note_rest(self, conversation: Conversation) -> None:
        for name in conversation.rest:
            self.note(name)


class Reader(Protocol):
    """Bytes of a provider's stream, in whatever pieces they come, to events."""

    @property
    def is_complete(self) -> bool:
        """Whether the provider said that this is all; a stream that just ends was broken off."""

    def feed(self, chunk: bytes) -> list[Event]: ...
    def finish(self) -> list[Event]:
        """At the end of the upstream: what was held back."""


class Writer(Protocol):
    """Events to bytes of the caller's format."""

    def write(self, event: Event) -> bytes:
        """All but `Finished`, `Used` and `Failed`, which are kept for the end."""

    def end(self, finished: list[Finished], usage: Usage, metadata: bytes) -> bytes:
        """`metadata` is the `brokle` object, or empty; it rides in the event that carries the finish reason."""

    def fail(self, failure: Failed) -> bytes:
        """An error inside the stream; nothing follows it, least of all a claim that all is done."""


class Stream(Protocol):
    """A stream on its way through, relayed or translated."""

    events: int
    is_done: bool
    is_failed: bool

    @property
    def usage(self) -> Usage | None:
        """What the provider said so far; of a stream broken off, with what came since."""

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the caller now."""

    def finish(self) -> bytes:
        """At the end of the upstream: what was held back, and the end where the upstream left it unsaid."""


class Format(Protocol):
    """How callers speak to us."""

    name: str
    endpoint: str
    operation: str
    error_shape: ErrorShape
    is_binary: bool
    """Whether answers may be something else than JSON, and then pass with their own content type."""

    async def ask_of(self, request: Request, model: str = "") -> Ask:
        """`model` is named by the address, which counts more than what the body says."""

    async def hold(self, ask: Ask) -> None:
        """Takes what is still to come of the request: before it is read twice, or the caller is listened to."""

    def onward(self, ask: Ask, body: bytes) -> bytes | AsyncIterator[bytes]:
        """What goes out of what `relayed` made: bytes that can be sent again, or a stream that cannot."""

    def known_usage(self, ask: Ask) -> Usage | None:
        """What the request itself says is used, where the answer does not tell."""

    def relayed(self, ask: Ask, model: str) -> bytes:
        """For a provider that understands this format: the caller's bytes, with what must differ changed in place."""

    def find_light(self, body: bytes) -> "Light | None":
        """None for what is no answer of this format."""

    def passage(self, ask: Ask, metadata: Callable[[], bytes] | None) -> Stream:
        """Relays a stream; `metadata` makes the `brokle` object once the usage is known, None leaves it out."""

    def write_whole(self, reply: WholeReply, ask: Ask) -> bytes: ...
    def writer(self, ask: Ask) -> Writer: ...
    def refusal(self, failure: Failed, request_id: str) -> bytes: ...


class WholeBody:
    """What formats share whose body is read before anything is done."""

    is_binary = False

    async def ask_of(self, request: Request, model: str = "") -> Ask:
        body = await request.body()
        return self.read_ask(request, with_model(body, model) if model else body)

    def read_ask(self, request: Request, body: bytes) -> Ask:
        raise NotImplementedError

    async def hold(self, ask: Ask) -> None:
        pass

    def onward(self, ask: Ask, body: bytes) -> bytes | AsyncIterator[bytes]:
        return body

    def known_usage(self, ask: Ask) -> Usage | None:
        return None


class Dialect(Protocol):
    """How a provider is spoken to."""

    name: str
    title: str
    lacks: frozenset[str]
    """What no model can be asked for in it, whatever the model can do, in the catalogue's words."""

    def speaks(self, format_name: str) -> bool:
        """Whether the provider understands this format of callers as it is."""

    def address(
        self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool
    ) -> str: ...
    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]: ...
    def signer(self, secret: str, options: dict[str, str], egress: EgressClient) -> Signer | None:
        """None where the fixed headers are all that a call needs."""

    def fitted(self, body: bytes, operation: str, ask: Ask) -> bytes:
        """What a caller wrote in a form that is understood here, as it is taken here. Raises CannotExpress."""

    def write_request(self, conversation: Conversation, model: str) -> bytes:
        """Raises CannotExpress."""

    def embedder(self) -> "Embedder | None":
        """None where embeddings are spoken in OpenAI's form or not at all."""

    def painter(self) -> "Painter | None":
        """None where pictures are spoken of in OpenAI's form or not at all."""

    def read_whole(self, body: bytes) -> WholeReply:
        """Raises msgspec.DecodeError for what is no answer of this dialect."""

    def reader(self) -> Reader: ...
    def read_refusal(self, status: int, body: bytes) -> Failed: ...


def with_model(body: bytes, model: str) -> bytes:
    """What is no object stays as it is, for the format to refuse."""
    try:
        members = members_of(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    return joined({**members, "model": msgspec.Raw(msgspec.json.encode(model))})


def decoded(body: bytes, decoder: Any) -> Any:
    """A request's body by its type, or a 400 that says where it is wrong."""
    try:
        if not body.isascii():
            body.decode()  # what is not read here is read later, or by a provider, and must be UTF-8 as well
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON") from error


class Light(msgspec.Struct):
    """What is read of an answer that is relayed: `model` is the member's value as written, quotes included."""

    usage: Usage | None
    model: bytes
    is_error: bool = False
