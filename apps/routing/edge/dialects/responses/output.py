"""An answer in the making: events of a model in, items and the events that tell of them out."""

from copy import deepcopy
from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.responses import objects
from apps.routing.edge.dialects.responses.names import Own
from apps.routing.edge.dialects.responses.wire import usage_object
from apps.routing.edge.dialects.seals import sealed_by_google, told_to_openai
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Event,
    Failed,
    Finish,
    MediaPiece,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
)
from apps.routing.edge.usage import Usage

Told = dict[str, Any]
_SEARCH: Final = "tool_search_call"
_CALLS: Final = frozenset({"function_call", "custom_tool_call", _SEARCH})
_CUT_OFF: Final[dict[Finish, str]] = {"length": "max_output_tokens", "content_filter": "content_filter"}


class _Growing:
    """One item; `pieces` are of the part that grows, which `member` of it will hold."""

    __slots__ = ("index", "item", "kind", "logprobs", "member", "part", "pieces")

    def __init__(self, index: int, item: Told) -> None:
        self.index = index
        self.item = item
        self.kind = ""
        self.member = ""
        self.part: Told = {}
        self.pieces: list[str] = []
        self.logprobs: list[Any] = []

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def place(self, **more: int) -> Told:
        return {"item_id": self.item["id"], "output_index": self.index, **more}


class Output:
    """Messages and thoughts end when something else begins; calls, when they are whole and another one begins."""

    __slots__ = ("_calls", "_growing", "_is_single", "_items", "_own", "head")

    def __init__(self, head: Told, own: dict[str, Own], *, is_single: bool) -> None:
        """`own` are names of tools that others were told differently; `is_single` lets no second call through."""
        self.head = head
        self._own = own
        self._is_single = is_single
        self._items: list[Told] = []
        self._growing: _Growing | None = None
        self._calls: dict[int, _Growing] = {}

    def take(self, event: Event) -> list[Told]:
        """Of the first answer alone: this format has no others."""
        if getattr(event, "choice", 0) != 0:
            return []
        if isinstance(event, TextPiece | RefusalPiece):
            return self._said(event)
        if isinstance(event, ThoughtPiece):
            return self._thought(event)
        if isinstance(event, ToolBegun):
            return self._call(event)
        if isinstance(event, ArgumentsPiece):
            return self._arguments(event)
        return self._picture(event) if isinstance(event, MediaPiece) else []

    def end(self, finish: Finish, usage: Usage) -> list[Told]:
        refused = any(part["type"] == "refusal" for item in self._items for part in item.get("content", ()))
        why = _CUT_OFF.get("content_filter" if finish == "refusal" and not refused else finish)
        status = "incomplete" if why else "completed"
        told = self._settle(status)
        for index in sorted(self._calls):
            told += self._end_call(index, status)
        self.head["status"] = status
        self.head["incomplete_details"] = {"reason": why} if why else None
        self.head["usage"] = usage_object(usage)
        self.head["output"] = self._items
        return told

    def fail(self, failure: Failed) -> Told:
        """The answer as far as it came."""
        if self._growing is not None:
            self._growing.part[self._growing.member] = self._growing.text
            self._growing.item["status"] = "incomplete"
        for call in self._calls.values():
            member = "input" if call.item["type"] == "custom_tool_call" else "arguments"
            given = objects.wish_of(call.text) if call.item["type"] == _SEARCH else call.text
            call.item |= {member: given, "status": "incomplete"}
        return {**self.head, "status": "failed", "error": objects.error_of(failure), "output": self._items}

    def _open(self, item: Told) -> tuple[_Growing, Told]:
        growing = _Growing(len(self._items), item)
        self._items.append(item)
        # As it is now: what is told later must not reach back into it.
        added = {"type": "response.output_item.added", "output_index": growing.index, "item": deepcopy(item)}
        return growing, added

    def _said(self, event: TextPiece | RefusalPiece) -> list[Told]:
        kind, logprobs = ("output_text", event.logprobs) if isinstance(event, TextPiece) else ("refusal", None)
        if not event.text and not logprobs:
            return []
        told: list[Told] = []
        growing = self._growing
        if growing is None or growing.item["type"] != "message":
            told += self._settle("completed")
            growing, added = self._open(objects.message_item())
            told.append(added)
            self._growing = growing
        if growing.kind != kind:
            told += _end_part(growing)
            told.append(_begin_part(growing, kind))
        growing.pieces.append(event.text)
        growing.logprobs += logprobs or ()
        delta: Told = {"type": f"response.{kind}.delta", **_content(growing), "delta": event.text}
        return [*told, {**delta, "logprobs": logprobs or []} if kind == "output_text" else delta]

    def _thought(self, piece: ThoughtPiece) -> list[Told]:
        told: list[Told] = []
        growing = self._growing
        if growing is None or growing.item["type"] != "reasoning" or piece.sealed:
            told += self._settle("completed")
            growing, added = self._open(objects.reasoning_item())
            told.append(added)
            self._growing = growing
        if piece.text:
            if not growing.kind:
                told.append(_begin_summary(growing))
            growing.pieces.append(piece.text)
            place = growing.place(summary_index=0)
            told.append({"type": "response.reasoning_summary_text.delta", **place, "delta": piece.text})
        if piece.signature or piece.sealed:
            growing.item["encrypted_content"] = told_to_openai(piece.signature, piece.sealed)
            told += self._settle("completed")
        return told

    def _call(self, event: ToolBegun) -> list[Told]:
        if self._is_single and any(item["type"] in _CALLS for item in self._items):
            return []
        told: list[Told] = []
        if event.signature:
            told += self._thought(ThoughtPiece(signature=sealed_by_google(event.signature)))
        told += self._settle("completed")
        for index in sorted(self._calls):
            if _is_whole(self._calls[index].text):
                told += self._end_call(index, "completed")
        item = objects.call_item(event.id, self._own.get(event.name) or Own(event.name))
        self._calls[event.index], added = self._open(item)
        return [*told, added]

    def _arguments(self, event: ArgumentsPiece) -> list[Told]:
        growing = self._calls.get(event.index)
        if growing is None or not event.text:
            return []
        growing.pieces.append(event.text)
        if growing.item["type"] != "function_call":
            return []  # what is given is known once the JSON around it is whole
        return [{"type": "response.function_call_arguments.delta", **growing.place(), "delta": event.text}]

    def _end_call(self, index: int, status: str) -> list[Told]:
        growing = self._calls.pop(index)
        kind, item, text = "function_call_arguments", growing.item, growing.text
        if item["type"] == _SEARCH:
            item |= {"arguments": objects.wish_of(text), "status": status}
            return [_item_done(growing)]
        is_custom = item["type"] == "custom_tool_call"
        if is_custom:
            kind, text = "custom_tool_call_input", objects.free_text(text)
        told: list[Told] = []
        if is_custom or not growing.pieces:
            text = text if is_custom else "{}"
            told.append({"type": f"response.{kind}.delta", **growing.place(), "delta": text})
        member = "input" if is_custom else "arguments"
        item |= {member: text, "status": status}
        done: Told = {"type": f"response.{kind}.done", **growing.place(), member: text}
        return [*told, done if is_custom else {**done, "name": item["name"]}, _item_done(growing)]

    def _picture(self, event: MediaPiece) -> list[Told]:
        if event.media.kind != "image" or not event.media.data:
            return []
        told = self._settle("completed")
        growing, added = self._open(objects.picture_item(event.media.data, event.media.mime))
        return [*told, added, _item_done(growing)]

    def _settle(self, status: str) -> list[Told]:
        """What grows is whole."""
        growing, self._growing = self._growing, None
        if growing is None:
            return []
        told = _end_part(growing)
        growing.item["status"] = status
        return [*told, _item_done(growing)]


def _content(growing: _Growing) -> Told:
    return growing.place(content_index=len(growing.item["content"]) - 1)


def _begin_part(growing: _Growing, kind: str) -> Told:
    growing.kind, growing.member = kind, "text" if kind == "output_text" else "refusal"
    growing.part = objects.text_part() if kind == "output_text" else objects.refusal_part()
    growing.item["content"].append(growing.part)
    return {"type": "response.content_part.added", **_content(growing), "part": deepcopy(growing.part)}


def _begin_summary(growing: _Growing) -> Told:
    growing.kind, growing.member = "reasoning_summary_text", "text"
    growing.part = {"type": "summary_text", "text": ""}
    growing.item["summary"].append(growing.part)
    place = growing.place(summary_index=0)
    return {"type": "response.reasoning_summary_part.added", **place, "part": deepcopy(growing.part)}


def _end_part(growing: _Growing) -> list[Told]:
    if not growing.kind:
        return []
    kind, text, part = growing.kind, growing.text, growing.part
    part[growing.member] = text
    if kind == "reasoning_summary_text":
        place, whole = growing.place(summary_index=0), "response.reasoning_summary_part.done"
    else:
        place, whole = _content(growing), "response.content_part.done"
    done: Told = {"type": f"response.{kind}.done", **place, growing.member: text}
    if kind == "output_text":
        part["logprobs"] = done["logprobs"] = growing.logprobs
    growing.kind, growing.pieces, growing.logprobs = "", [], []
    return [done, {"type": whole, **place, "part": part}]


def _item_done(growing: _Growing) -> Told:
    return {"type": "response.output_item.done", "output_index": growing.index, "item": growing.item}


def _is_whole(arguments: str) -> bool:
    try:
        msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
