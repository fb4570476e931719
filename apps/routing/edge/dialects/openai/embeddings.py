"""OpenAI's embeddings, asked for those who speak of them in another form."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.embedding import Vectors
from apps.routing.edge.dialects.purposes import SILENT, Text, Words
from apps.routing.edge.usage import Usage

_encode: Final = msgspec.json.encode


class _Entry(msgspec.Struct):
    embedding: list[float]
    index: int = 0


class _Counted(msgspec.Struct):
    prompt_tokens: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Entry]
    usage: _Counted | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


class OpenAIEmbedder:
    def words(self, model: str) -> Words:
        return SILENT

    def write(self, texts: list[Text], dimensions: int | None, model: str) -> bytes:
        body: dict[str, Any] = {"model": model, "input": [text.text for text in texts], "encoding_format": "float"}
        return _encode(body | ({} if dimensions is None else {"dimensions": dimensions}))

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        reply = _decode(body)
        vectors = [entry.embedding for entry in sorted(reply.data, key=lambda entry: entry.index)]
        counted = reply.usage.prompt_tokens if reply.usage is not None else None
        return vectors, None if counted is None else Usage(input=counted)
