"""Embeddings between those who do not speak alike: texts in OpenAI's form, vectors from anybody."""

import struct
from typing import Any, Final, Protocol

import msgspec

from apps.routing.edge.dialects.purposes import Text, Words, fitted, purpose_of
from apps.routing.edge.dialects.speech import CannotExpress, decoded
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest

EMBEDDINGS: Final = "embeddings"
Vectors = list[list[float]]

_BYTES_PER_TOKEN: Final = 4
_INPUT_TYPE: Final = "input_type"
_TASK_TYPE: Final = "task_type"
_PLACED: Final = frozenset(
    {"model", "input", "dimensions", "encoding_format", "user", "brokle", "drop_unsupported"}
    | {_INPUT_TYPE, _TASK_TYPE, "title"}
)
_encode: Final = msgspec.json.Encoder().encode


class Embedder(Protocol):
    """What a dialect that has its own form of embeddings can do."""

    def words(self, model: str) -> Words:
        """How it is told what texts are for."""

    def write(self, texts: list[Text], dimensions: int | None, model: str) -> bytes:
        """Purposes are in its own words. Raises CannotExpress."""

    def read(self, body: bytes) -> tuple[Vectors, Usage | None]:
        """None where the provider does not count. Raises msgspec.DecodeError for what is no answer of this dialect."""


class _Asked(msgspec.Struct):
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: str | None = None
    input_type: str | None = None
    task_type: str | None = None
    title: str | None = None

    def purpose(self) -> tuple[str, str]:
        """And the name that it was given by: Cohere's, or Google's."""
        field = _INPUT_TYPE if self.input_type is not None else _TASK_TYPE
        ours, theirs = purpose_of(self.input_type, _INPUT_TYPE), purpose_of(self.task_type, _TASK_TYPE)
        if ours and theirs and ours != theirs:
            raise BadRequest("`input_type` and `task_type` say different things", field=_TASK_TYPE)
        return ours or theirs, field


_decoder: Final = msgspec.json.Decoder(_Asked)
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Embedding:
    """One caller's wish, said to one provider and answered as OpenAI would."""

    operation = EMBEDDINGS

    __slots__ = ("_asked", "_embedder", "_is_packed", "_size")

    def __init__(self, embedder: Embedder, asked: str) -> None:
        self._embedder = embedder
        self._asked = asked
        self._is_packed = False
        self._size = 0

    def write(self, body: bytes, model: str, title: str, *, drops_unsupported: bool) -> bytes:
        said: _Asked = decoded(body, _decoder)
        texts = [said.input] if isinstance(said.input, str) else said.input
        if not texts:
            raise BadRequest("`input` is empty", field="input")
        if not all(isinstance(text, str) for text in texts):
            raise CannotExpress("input", title, "tokens of OpenAI's models are nobody else's")
        for name in _members(body).keys() - _PLACED:
            if not drops_unsupported:
                raise CannotExpress(name, title)
        self._is_packed = said.encoding_format == "base64"
        self._size = sum(len(str(text).encode()) for text in texts)
        purpose, field = said.purpose()
        plain = [Text(str(text), purpose, said.title or "") for text in texts]
        told = fitted(plain, self._embedder.words(model), field, title, drops_unsupported=drops_unsupported)
        return self._embedder.write(told, said.dimensions, model)

    def answer(self, body: bytes) -> tuple[bytes, Usage]:
        vectors, usage = self._embedder.read(body)
        if usage is None:
            usage = Usage(input=-(-self._size // _BYTES_PER_TOKEN), is_estimated=True)
        data = [
            {"object": "embedding", "index": place, "embedding": self._held(vector)}
            for place, vector in enumerate(vectors)
        ]
        counted = {"prompt_tokens": usage.all_input, "total_tokens": usage.all_input}
        return _encode({"object": "list", "data": data, "model": self._asked, "usage": counted}), usage

    def _held(self, vector: list[float]) -> Any:
        """OpenAI's SDK asks for packed numbers unless told otherwise: four bytes each, the smallest first."""
        return struct.pack(f"<{len(vector)}f", *vector) if self._is_packed else vector
