"""Pictures to be changed: asked for in OpenAI's form, with the pictures as files in it."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.openai.forms import Form, Part
from apps.routing.edge.dialects.pictures import IDLE, PLACED, Asked, Drawing, Painter, Picture, Wish
from brokle.kernel.errors import BadRequest

_IMAGE: Final = re.compile(r"image(\[\d*\])?")
_MASK: Final = "mask"
_MEMBER: Final = re.compile(r"([^\[]+)\[([^\]]+)\]")
"""How clients write a member of an object in a form."""
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?|true|false|null")
_DROPS: Final = "drop_unsupported"
_SIGNS: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
)


class Editing(Drawing):
    """One caller's form, which is whole by now, said to one provider and answered as OpenAI would."""

    __slots__ = ("_form",)

    def __init__(self, painter: Painter, form: Form) -> None:
        super().__init__(painter)
        self._form = form

    def write(self, body: bytes, model: str, title: str, *, drops_unsupported: bool) -> bytes:
        parts = list(self._form.parts())
        fields = dict(_fields(parts))
        images = [_picture(part) for part in parts if _IMAGE.fullmatch(part.name)]
        if not images:
            raise BadRequest("The form has no file `image`", field="image")
        mask = next((_picture(part) for part in parts if part.name == _MASK), None)
        wish = Wish(_asked(fields), _rest(fields), images, mask)
        drops = drops_unsupported or fields.get(_DROPS) == "true"
        return self._written(wish, model, title, drops_unsupported=drops)


def _fields(parts: list[Part]) -> Iterator[tuple[str, str]]:
    for part in parts:
        if not (_IMAGE.fullmatch(part.name) or part.name == _MASK):
            yield part.name, part.content.decode(errors="replace")


def _asked(fields: dict[str, str]) -> Asked:
    try:
        return msgspec.convert(fields, Asked, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def _rest(fields: dict[str, str]) -> dict[str, msgspec.Raw]:
    """What stands for itself as JSON, with the members of an object put together."""
    found: dict[str, msgspec.Raw] = {}
    objects: dict[str, dict[str, Any]] = {}
    for name, text in fields.items():
        member = _MEMBER.fullmatch(name)
        whose = member[1] if member is not None else name
        if whose in PLACED | IDLE:
            continue
        if member is not None:
            objects.setdefault(whose, {})[member[2]] = _value(text)
        else:
            found[name] = _json(name, text)
    return found | {name: msgspec.Raw(msgspec.json.encode(members)) for name, members in objects.items()}


def _json(name: str, text: str) -> msgspec.Raw:
    if not text.startswith("{"):
        return msgspec.Raw(msgspec.json.encode(_value(text)))
    try:
        return msgspec.Raw(msgspec.json.encode(msgspec.json.decode(text)))
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"`{name}` is not valid JSON", field=name) from error


def _value(text: str) -> Any:
    return msgspec.json.decode(text) if _NUMBER.fullmatch(text) else text


def _picture(part: Part) -> Picture:
    """What it is stands in its first bytes; clients that are given bytes alone do not say it."""
    name = part.name.partition("[")[0]
    if not part.is_file:
        raise BadRequest(f"`{name}` is a file", field=name)
    seen = next((kind for sign, kind in _SIGNS if sign.match(part.content)), part.kind)
    if not part.content or not seen.startswith("image/"):
        raise BadRequest(f"`{name}` is no picture: send PNG, JPEG, WebP or GIF", field=name)
    return Picture(seen, part.content)
