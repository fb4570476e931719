"""How one call is spoken to one upstream: its own bytes where both sides speak alike, else translated."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from apps.routing.edge.asks import Ask
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.edits import Editing
from apps.routing.edge.dialects.embedding import EMBEDDINGS, Embedding
from apps.routing.edge.dialects.gemini.embed import MANY, ONE, EmbeddingOfContents
from apps.routing.edge.dialects.openai.embeddings import OpenAIEmbedder
from apps.routing.edge.dialects.pictures import EDITS, PICTURES, Drawing
from apps.routing.edge.dialects.speech import CHAT, CannotExpress, Dialect, Format, Stream, Writer
from apps.routing.edge.reply import Event, Failed, Finished, Used, WholeReply
from apps.routing.edge.splice import Renaming
from apps.routing.edge.upstreams import ECHO_HEADER, Upstream
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import UpstreamFailed

Metadata = Callable[[Usage], bytes]
Guess = Callable[[int], Usage]
"""From the number of events to what they probably used."""

_encode = msgspec.json.Encoder().encode
_THINKING: Final = "reasoning"
_CONVERSATIONS: Final = frozenset({CHAT, "completions", "messages", "responses", "generate"})


class Line:
    """One for each upstream that is tried."""

    __slots__ = ("_ask", "_format", "_one_shot", "_upstream", "is_relay", "operation")

    def __init__(self, spoken: Format, ask: Ask, upstream: Upstream) -> None:
        self._format = spoken
        self._ask = ask
        self._upstream = upstream
        self.is_relay = upstream.speaks(spoken)
        self._one_shot = None if self.is_relay else _one_shot(spoken.operation, upstream.dialect, ask)
        self.operation = spoken.operation if self.is_relay else self._one_shot.operation if self._one_shot else CHAT

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Of this call alone, beside those of the key."""
        headers = self._ask.headers if self.is_relay else ()
        told = self._ask.controls.echo
        if told and self._upstream.provider == "echo":
            return (*headers, (ECHO_HEADER, told))
        return headers

    def onward(self, body: bytes) -> bytes | AsyncIterator[bytes]:
        return self._format.onward(self._ask, body) if self.is_relay else body

    def body(self) -> bytes:
        """Raises CannotExpress."""
        if self.is_relay:
            body = self._format.relayed(self._ask, self._upstream.model)
            return self._upstream.dialect.fitted(body, self.operation, self._ask)
        if self._one_shot is not None:
            title, drops = self._upstream.dialect.title, self._ask.controls.drops_unsupported
            if self._ask.is_stream:
                raise CannotExpress("stream", title)
            body = self._one_shot.write(self._ask.body, self._upstream.model, title, drops_unsupported=drops)
            return self._upstream.dialect.fitted(body, self.operation, self._ask)
        if self._format.operation not in _CONVERSATIONS:
            raise CannotExpress(self._format.endpoint, self._upstream.dialect.title)
        conversation = _fitting(self._ask.conversation(), self._upstream)
        return self._upstream.dialect.write_request(conversation, self._upstream.model)

    def whole(self, body: bytes) -> tuple[bytes, Usage | None]:
        """The answer as the caller gets it, and what it used where the upstream says so."""
        if not self.is_relay:
            return self._translated(body)
        light = self._format.find_light(body)
        if light is None:
            raise UpstreamFailed(f"{self._upstream.label} did not answer with JSON")
        if light.model and light.model != _encode(self._ask.model):
            body = Renaming(light.model, self._ask.model).apply(body)
        return body, light.usage

    @property
    def is_binary(self) -> bool:
        return self._format.is_binary

    def known_usage(self) -> Usage | None:
        return self._format.known_usage(self._ask)

    def stream(self, metadata: Metadata | None, guess: Guess) -> Stream:
        """`metadata` makes the `brokle` object of what was used; None leaves it out."""
        if not self.is_relay:
            return Translated(self._format.writer(self._ask), self._upstream, metadata, guess)
        if metadata is None:
            return self._format.passage(self._ask, None)
        passage: Stream = self._format.passage(self._ask, lambda: metadata(passage.usage or guess(passage.events)))
        return passage

    def refusal(self, status: int, body: bytes, request_id: str) -> bytes:
        """The upstream's own words; only what carried them may be ours."""
        if self.is_relay:
            light = self._format.find_light(body)
            if light is not None and light.is_error:
                return body
        return self._format.refusal(self._upstream.dialect.read_refusal(status, body), request_id)

    def _translated(self, body: bytes) -> tuple[bytes, Usage | None]:
        try:
            if self._one_shot is not None:
                return self._one_shot.answer(body)
            reply: WholeReply = self._upstream.dialect.read_whole(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamFailed(f"{self._upstream.label} did not answer in its own form") from error
        usage = next((event.usage for event in reply.events if isinstance(event, Used)), None)
        return self._format.write_whole(reply, self._ask), usage


def _fitting(conversation: Conversation, upstream: Upstream) -> Conversation:
    """Nobody is told to stop later than it must; and who is known not to think is not asked to, where that may be."""
    most, bound = upstream.max_output, conversation.max_output
    if most and bound is not None and bound > most:
        conversation = msgspec.structs.replace(conversation, max_output=most)
    thinks = not upstream.capabilities or _THINKING in upstream.capabilities
    if conversation.reasoning is not None and conversation.drops_unsupported and not thinks:
        conversation = msgspec.structs.replace(conversation, reasoning=None)
    return conversation


def _one_shot(operation: str, dialect: Dialect, ask: Ask) -> Embedding | EmbeddingOfContents | Drawing | None:
    """Where a provider has a form of its own for what is no conversation, or a caller has."""
    if operation in {ONE, MANY}:
        found = dialect.embedder() or (OpenAIEmbedder() if dialect.speaks(f"openai.{EMBEDDINGS}") else None)
        return None if found is None else EmbeddingOfContents(found, operation)
    if operation == EMBEDDINGS and (embedder := dialect.embedder()) is not None:
        return Embedding(embedder, ask.model)
    if operation in {PICTURES, EDITS} and (painter := dialect.painter()) is not None:
        return Drawing(painter) if operation == PICTURES else Editing(painter, ask.light)
    return None


class Translated:
    """A stream read in one dialect and written in another; how it ends is kept until the usage is known."""

    __slots__ = (
        "_finished",
        "_guess",
        "_metadata",
        "_reader",
        "_upstream",
        "_usage",
        "_writer",
        "events",
        "is_done",
        "is_failed",
    )

    def __init__(self, writer: Writer, upstream: Upstream, metadata: Metadata | None, guess: Guess) -> None:
        self._reader = upstream.dialect.reader()
        self._writer = writer
        self._upstream = upstream
        self._metadata = metadata
        self._guess = guess
        self._finished: list[Finished] = []
        self.events = 0
        self._usage: Usage | None = None
        self.is_done = self.is_failed = False

    @property
    def usage(self) -> Usage | None:
        """Where the provider has only said how it began, each event since is taken for a token."""
        if self._usage is None or not self._usage.is_estimated:
            return self._usage
        return msgspec.structs.replace(self._usage, output=max(self._usage.output, self.events))

    def feed(self, chunk: bytes) -> bytes:
        try:
            return self._written(self._reader.feed(chunk))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamFailed(f"{self._upstream.label} did not answer in its own form") from error

    def finish(self) -> bytes:
        try:
            out = self._written(self._reader.finish())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return b""
        if self.is_failed or not self._reader.is_complete:
            return out
        self.is_done = True
        usage = self.usage or self._guess(self.events)
        metadata = self._metadata(usage) if self._metadata is not None else b""
        return out + self._writer.end(self._finished, usage, metadata)

    def _written(self, events: list[Event]) -> bytes:
        out = b""
        for event in events:
            self.events += 1
            if isinstance(event, Finished):
                self._finished.append(event)
            elif isinstance(event, Used):
                self._usage = event.usage
            elif isinstance(event, Failed):
                self.is_failed = True
                return out + self._writer.fail(event)
            else:
                out += self._writer.write(event)
        return out
