"""Hugging Face's router: OpenAI's words for chat, a pipeline of its own for embeddings."""

from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from apps.routing.edge.dialects.embedding import EMBEDDINGS, Embedder, Vectors
from apps.routing.edge.dialects.openai.dialect import OpenAI
from apps.routing.edge.dialects.purposes import SILENT, Text, Words
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.usage import Usage

_FORMATS: Final = frozenset({"openai.chat"})
_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.Decoder(Vectors).decode


class HuggingFace(OpenAI):
    def __init__(self, name: str, title: str) -> None:
        super().__init__(name, title, _FORMATS)

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        """Embeddings are computed by Hugging Face itself, whoever answers the chat at this address."""
        if operation != EMBEDDINGS:
            return super().address(base_url, operation, model, options, is_stream=is_stream)
        parts = urlsplit(base_url)
        place = f"hf-inference/models/{quote(model, safe='/')}/pipeline/feature-extraction"
        return f"{parts.scheme}://{parts.netloc}/{place}"

    def embedder(self) -> Embedder | None:
        return PipelineEmbedder(self.title)


class PipelineEmbedder:
    def __init__(self, title: str) -> None:
        self._title = title

    def words(self, model: str) -> Words:
        return SILENT

    def write(self, texts: list[Text], dimensions: int | None, model: str) -> bytes:
        if dimensions is not None:
            raise CannotExpress("dimensions", self._title)
        return _encode({"inputs": [text.text for text in texts]})

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        """A vector for each text; models that give one for each token are no embedders of texts."""
        return _decode(body), None
