"""Gemini's embeddings: several texts in one call."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.embedding import Vectors
from apps.routing.edge.dialects.purposes import GOOGLES, Text, Words
from apps.routing.edge.usage import Usage

_encode: Final = msgspec.json.encode


class _Values(msgspec.Struct):
    values: list[float]


class _Counted(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None


class _Reply(msgspec.Struct, rename="camel"):
    embeddings: list[_Values]
    usage_metadata: _Counted | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


class GeminiEmbedder:
    def words(self, model: str) -> Words:
        return GOOGLES

    def write(self, texts: list[Text], dimensions: int | None, model: str) -> bytes:
        about: dict[str, Any] = {"model": f"models/{model.removeprefix('models/')}"}
        wish = {} if dimensions is None else {"outputDimensionality": dimensions}
        return _encode({"requests": [{**about, **_request(text), **wish} for text in texts]})

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        reply = _decode(body)
        counted = reply.usage_metadata.prompt_token_count if reply.usage_metadata is not None else None
        return [held.values for held in reply.embeddings], None if counted is None else Usage(input=counted)


def _request(text: Text) -> dict[str, Any]:
    about = {"taskType": text.purpose, "title": text.title}
    return {"content": {"parts": [{"text": text.text}]}} | {name: said for name, said in about.items() if said}
