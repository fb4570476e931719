"""Pictures from those who do not draw in OpenAI's form: asked for in its words, answered by addresses."""

import time
from typing import Any, Final, Protocol

import msgspec

from apps.routing.edge.dialects.speech import CannotExpress, decoded
from apps.routing.edge.usage import Usage

PICTURES: Final = "images.generations"
EDITS: Final = "images.edits"
PLACED: Final = frozenset(
    {"model", "prompt", "n", "size", "output_format", "response_format", "user", "brokle", "drop_unsupported"}
)
# Said by SDKs whether or not it was asked for, and nothing that changes a picture.
IDLE: Final = frozenset({"moderation", "stream"})
_encode: Final = msgspec.json.Encoder().encode
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Asked(msgspec.Struct):
    prompt: str
    n: int | None = None
    size: str | None = None
    output_format: str | None = None
    response_format: str | None = None


class Picture(msgspec.Struct):
    """One that is given, and what it is: `image/png` and the like."""

    kind: str
    data: bytes


class Wish(msgspec.Struct):
    """`rest` is what has no place in `asked`, for the painter to take or refuse.

    With `images` they are to be changed: where the `mask` says, if there is one.
    """

    asked: Asked
    rest: dict[str, msgspec.Raw]
    images: list[Picture] = []
    mask: Picture | None = None


class Painter(Protocol):
    """What a dialect that has its own form of pictures can do."""

    def write(self, wish: Wish, model: str, *, drops_unsupported: bool) -> bytes:
        """Raises CannotExpress."""

    def read(self, body: bytes) -> list[str]:
        """Addresses, or `data:` ones. Raises msgspec.DecodeError for what is no answer of this dialect."""


class Drawing:
    """One caller's wish, said to one provider and answered as OpenAI would."""

    operation = PICTURES

    __slots__ = ("_painter",)

    def __init__(self, painter: Painter) -> None:
        self._painter = painter

    def write(self, body: bytes, model: str, title: str, *, drops_unsupported: bool) -> bytes:
        asked: Asked = decoded(body, _decoder)
        rest = {name: value for name, value in _members(body).items() if name not in PLACED | IDLE}
        return self._written(Wish(asked, rest), model, title, drops_unsupported=drops_unsupported)

    def _written(self, wish: Wish, model: str, title: str, *, drops_unsupported: bool) -> bytes:
        if wish.asked.response_format == "b64_json" and not drops_unsupported:
            raise CannotExpress("response_format", title, "it answers with addresses")
        return self._painter.write(wish, model, drops_unsupported=drops_unsupported)

    def answer(self, body: bytes) -> tuple[bytes, Usage]:
        found = self._painter.read(body)
        data = [_held(address) for address in found]
        return _encode({"created": int(time.time()), "data": data}), Usage(images=len(data))


def _held(address: str) -> dict[str, Any]:
    """A picture that came along is given as OpenAI gives one; another stands where it is."""
    head, comma, packed = address.partition(",")
    return {"b64_json": packed} if comma and head.startswith("data:") else {"url": address}


_decoder: Final = msgspec.json.Decoder(Asked)
