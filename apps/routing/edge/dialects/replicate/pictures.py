"""Models that draw: their inputs differ less than those of language, and their output is one address or a list."""

import re
from base64 import b64encode
from math import log
from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.pictures import Picture, Wish
from apps.routing.edge.dialects.replicate.conversations import INPUT, body_of, said_outright
from apps.routing.edge.dialects.replicate.families import editor_of
from apps.routing.edge.dialects.replicate.wire import SUCCEEDED, decode_prediction
from apps.routing.edge.dialects.speech import CannotExpress
from brokle.kernel.errors import BadRequest

_SIZE: Final = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})")
_FORMATS: Final = {"jpeg": "jpg", "jpg": "jpg", "png": "png", "webp": "webp"}
_RATIOS: Final = ("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_COLORS: Final = slice(25, 26)
_WITH_ALPHA: Final = frozenset({b"\x04", b"\x06"})
_SIZED: Final = re.compile(r"sdxl|stable-diffusion(?!-3)")
"""These are told a width and a height, all others a ratio."""


class PredictionPainter:
    def __init__(self, title: str) -> None:
        self._title = title

    def write(self, wish: Wish, model: str, *, drops_unsupported: bool) -> bytes:
        asked = wish.asked
        inputs: dict[str, Any] = {"prompt": asked.prompt, **_sized(asked.size, model)}
        if wish.images:
            inputs |= self._shown(wish, model, drops_unsupported=drops_unsupported)
        if asked.n is not None and asked.n > 1:
            inputs["num_outputs"] = asked.n
        if asked.output_format is not None:
            inputs["output_format"] = _FORMATS.get(asked.output_format, asked.output_format)
        for name in wish.rest:
            if name != INPUT and not drops_unsupported:
                raise CannotExpress(name, self._title, "say the model's own inputs in `input`")
        return body_of(inputs | said_outright(wish.rest), model, self._title)

    def _shown(self, wish: Wish, model: str, *, drops_unsupported: bool) -> dict[str, Any]:
        """What is to be changed. White is where to paint; nobody reads that of what a mask lets through."""
        editor, mask = editor_of(model), wish.mask
        why = "" if editor.mask else "this model takes none"
        if mask is not None and not why and _is_see_through(mask.data):
            why = "its models paint where a mask is white: send one in black and white without transparency"
        if mask is not None and why and not drops_unsupported:
            raise CannotExpress("mask", self._title, why)
        if len(wish.images) > 1 and not editor.takes_several and not drops_unsupported:
            raise CannotExpress("image", self._title, "this model takes one")
        addresses = [_address(image) for image in wish.images]
        found: dict[str, Any] = {editor.image: addresses if editor.takes_several else addresses[0]}
        return found | ({editor.mask: _address(mask)} if mask is not None and not why else {})

    def read(self, body: bytes) -> list[str]:
        prediction = decode_prediction(body)
        found = prediction.output if isinstance(prediction.output, list) else [prediction.output]
        if prediction.status != SUCCEEDED or not all(isinstance(address, str) for address in found):
            raise msgspec.ValidationError("a prediction of pictures succeeds with their addresses")
        return found


def _sized(size: str | None, model: str) -> dict[str, Any]:
    if size is None or size == "auto":
        return {}
    found = _SIZE.fullmatch(size)
    if found is None:
        raise BadRequest("`size` is written as 1024x1024", field="size")
    width, height = int(found[1]), int(found[2])
    if _SIZED.search(model):
        return {"width": width, "height": height}
    return {"aspect_ratio": min(_RATIOS, key=lambda ratio: abs(log(width / height) - log(_of(ratio))))}


def _address(picture: Picture) -> str:
    return f"data:{picture.kind};base64,{b64encode(picture.data).decode()}"


def _is_see_through(data: bytes) -> bool:
    """Of a PNG: by the type of its colors, or a color that counts as none."""
    return data.startswith(_PNG) and (data[_COLORS] in _WITH_ALPHA or b"tRNS" in data[: data.find(b"IDAT")])


def _of(ratio: str) -> float:
    width, _, height = ratio.partition(":")
    return int(width) / int(height)
