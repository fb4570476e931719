"""Vertex' embeddings: `:predict`, with texts as instances."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.embedding import Vectors
from apps.routing.edge.dialects.purposes import GOOGLES, Text, Words
from apps.routing.edge.usage import Usage

_encode: Final = msgspec.json.encode


class _Statistics(msgspec.Struct):
    token_count: float = 0


class _Held(msgspec.Struct):
    values: list[float]
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct):
    embeddings: _Held


class _Reply(msgspec.Struct):
    predictions: list[_Prediction]


_decode: Final = msgspec.json.Decoder(_Reply).decode


class VertexEmbedder:
    def words(self, model: str) -> Words:
        return GOOGLES

    def write(self, texts: list[Text], dimensions: int | None, model: str) -> bytes:
        body: dict[str, Any] = {"instances": [_instance(text) for text in texts]}
        return _encode(body | ({} if dimensions is None else {"parameters": {"outputDimensionality": dimensions}}))

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        held = [prediction.embeddings for prediction in _decode(body).predictions]
        counted = [one.statistics.token_count for one in held if one.statistics is not None]
        return [one.values for one in held], Usage(input=round(sum(counted))) if counted else None


def _instance(text: Text) -> dict[str, str]:
    about = {"content": text.text, "task_type": text.purpose, "title": text.title}
    return {name: said for name, said in about.items() if said or name == "content"}
