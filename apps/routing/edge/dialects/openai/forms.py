"""OpenAI's endpoints that take a file: the form is read as far as the model's name, and the rest streams through."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final, NamedTuple

from apps.routing.edge.asks import Ask
from apps.routing.edge.controls import read_controls
from apps.routing.edge.dialects.openai.plain import PlainFormat, no_conversation
from apps.routing.edge.usage import Usage
from brokle.edge.http import DEFAULT_BODY_LIMIT, Request
from brokle.kernel.errors import BadRequest

_BOUNDARY: Final = re.compile(rb'multipart/form-data\s*;.*?boundary="?([^";,\s]{1,70})"?', re.IGNORECASE)
_NAME: Final = re.compile(rb'\bname="((?:[^"\\]|\\.)*)"')
_FILE: Final = re.compile(rb"\bfilename\*?=", re.IGNORECASE)
_KIND: Final = re.compile(rb"^content-type:\s*([^\s;]+)", re.IGNORECASE | re.MULTILINE)
_HEAD_ENDS: Final = b"\r\n\r\n"
_FORM_ENDS: Final = b"--"
_KEPT: Final = 1024 * 1024
"""Forms up to this size are held whole, so that a second provider can be asked when the first one fails."""
_LONGEST_VALUE: Final = 1000


class Part(NamedTuple):
    """One field. `kind` is what a file is said to be; a field that is no file has none."""

    name: str
    kind: str
    content: bytes
    is_file: bool


class Form:
    """A form on its way in: what has been read of it, where the model's name stands, and what is still to come."""

    __slots__ = ("_at", "_limit", "_mark", "_request", "_searched", "_size", "fields", "head", "is_whole", "model_at")

    def __init__(self, request: Request, boundary: bytes, limit: int = DEFAULT_BODY_LIMIT) -> None:
        self._request = request
        self._limit = limit
        self._mark = b"\r\n--" + boundary
        self._size = 0
        self._at = 0
        self._searched = 0
        self.head = bytearray()
        self.is_whole = False
        self.fields: dict[str, str] = {}
        self.model_at: tuple[int, int] | None = None

    async def read_model(self, named: str = "") -> str:
        """Reads no further than needed; a client that sends the file first has it held until the name comes.

        `named` is the model that the address names, and then the form need not.
        """
        while not self.is_whole and (self.model_at is None or len(self.head) < _KEPT):
            self.head += await self._more()
            self._scan()
        if self.model_at is None and not named:
            raise BadRequest("The form has no field `model`", field="model")
        return named or self.fields["model"]

    def renamed(self, model: str) -> bytes:
        if self.model_at is None:
            field = b'content-disposition: form-data; name="model"\r\n\r\n'
            return b"%b\r\n%b%b\r\n%b" % (self._mark[2:], field, model.encode(), bytes(self.head))
        start, end = self.model_at
        return bytes(self.head[:start]) + model.encode() + bytes(self.head[end:])

    async def hold(self) -> None:
        """The rest of it, for those who cannot be sent it as it comes."""
        while not self.is_whole:
            self.head += await self._more()
            self._scan()

    def parts(self) -> Iterator[Part]:
        """Of a form that is whole. Raises BadRequest where it breaks off."""
        for piece in (b"\r\n" + bytes(self.head)).split(self._mark)[1:]:
            if piece.startswith(_FORM_ENDS):
                return
            about, _, content = piece.partition(_HEAD_ENDS)
            name, kind = _NAME.search(about), _KIND.search(about)
            if name is not None:
                said = kind.group(1).decode("latin-1").lower() if kind is not None else ""
                yield Part(name.group(1).decode(errors="replace"), said, content, _FILE.search(about) is not None)
        raise BadRequest("The form breaks off before its end")

    async def onward(self, head: bytes) -> AsyncIterator[bytes]:
        yield head
        while not self.is_whole:
            yield await self._more()

    async def _more(self) -> bytes:
        part, self.is_whole = await self._request.body_part()
        self._size += len(part)
        if self._size > self._limit:
            self.head.clear()
            await self._request.refuse_body(self._limit, is_over=self.is_whole)
        return part

    def _scan(self) -> None:
        """Small fields are noted, files are stepped over; no byte is looked at twice."""
        while True:
            end = self.head.find(self._mark, self._searched)
            if end < 0:
                self._searched = max(self._at, len(self.head) - len(self._mark))
                return
            self._note(self._at, end)
            self._at = self._searched = end + len(self._mark)

    def _note(self, start: int, end: int) -> None:
        value_at = self.head.find(_HEAD_ENDS, start, end)
        if value_at < 0 or end - value_at > _LONGEST_VALUE:
            return
        about = bytes(self.head[start:value_at])
        name = _NAME.search(about)
        if name is None or _FILE.search(about):
            return
        value_at += len(_HEAD_ENDS)
        self.fields[name.group(1).decode(errors="replace")] = self.head[value_at:end].decode(errors="replace")
        if name.group(1) == b"model":
            self.model_at = (value_at, end)


class FormFormat(PlainFormat):
    """Transcriptions, and edits of pictures."""

    async def ask_of(self, request: Request, model: str = "") -> Ask:
        content_type = request.headers.get(b"content-type", b"")
        boundary = _BOUNDARY.search(content_type)
        if boundary is None:
            raise BadRequest("Send a form: `multipart/form-data` with a boundary", field="content-type")
        form = Form(request, boundary.group(1))
        model = await form.read_model(model)
        if not model:
            raise BadRequest("The field `model` is empty", field="model")
        return Ask(
            model,
            b"",
            read_controls(request.headers),
            no_conversation,
            is_stream=form.fields.get("stream") == "true",
            input_size=len(form.fields.get("prompt", "")),
            output_bound=0,
            light=form,
            headers=(("content-type", content_type.decode("latin-1")),),
        )

    def known_usage(self, ask: Ask) -> Usage | None:
        return Usage(is_estimated=True)

    async def hold(self, ask: Ask) -> None:
        form: Form = ask.light
        await form.hold()

    def relayed(self, ask: Ask, model: str) -> bytes:
        form: Form = ask.light
        return form.renamed(model)

    def onward(self, ask: Ask, body: bytes) -> bytes | AsyncIterator[bytes]:
        form: Form = ask.light
        if form.is_whole:
            return body
        ask.is_spent = True
        return form.onward(body)
