"""Answers, written as Gemini's candidates: whole, or one chunk of a stream at a time."""

from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.gemini.parts import Written, object_of
from apps.routing.edge.dialects.gemini.wire import error_object, said_finish, usage_object
from apps.routing.edge.dialects.seals import told_to_google
from apps.routing.edge.dialects.sse import written
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Failed,
    Finished,
    MediaPiece,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)
from apps.routing.edge.usage import Usage
from brokle.kernel.ids import new_id

_encode: Final = msgspec.json.Encoder().encode


class _Calls:
    """The calls of one candidate: Gemini says each in one piece, and so they wait until they are complete."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[int, tuple[ToolBegun, list[str]]] = {}

    def take(self, event: ToolBegun | ArgumentsPiece) -> None:
        if isinstance(event, ToolBegun):
            self._calls[event.index] = (event, [])
        elif event.index in self._calls:
            self._calls[event.index][1].append(event.text)

    def parts(self) -> list[Written]:
        return [_call(begun, "".join(pieces)) for _, (begun, pieces) in sorted(self._calls.items())]


def _call(begun: ToolBegun, arguments: str) -> Written:
    part: Written = {"functionCall": {"id": begun.id, "name": begun.name, "args": object_of(arguments)}}
    return part | ({"thoughtSignature": begun.signature} if begun.signature else {})


def _part(event: Event) -> Written | None:
    if isinstance(event, TextPiece | RefusalPiece):
        return {"text": event.text} if event.text else None
    if isinstance(event, ThoughtPiece):
        if event.signature or event.sealed:
            seal = told_to_google(event.signature, event.sealed)
            return {"text": event.text, "thought": True, "thoughtSignature": seal}
        return {"text": event.text, "thought": True}
    if isinstance(event, MediaPiece) and event.media.data:
        return {"inlineData": {"mimeType": event.media.mime, "data": event.media.data}}
    return None


def write_whole(reply: WholeReply, asked: str) -> bytes:
    parts: dict[int, list[Written]] = {}
    calls: dict[int, _Calls] = {}
    logprobs: dict[int, list[Any]] = {}
    finished: dict[int, Finished] = {}
    head, usage = "", Usage()
    for event in reply.events:
        choice = getattr(event, "choice", 0)
        if isinstance(event, Begun):
            head = event.id
        elif isinstance(event, Used):
            usage = event.usage
        elif isinstance(event, Finished):
            finished[choice] = event
        elif isinstance(event, ToolBegun | ArgumentsPiece):
            calls.setdefault(choice, _Calls()).take(event)
        elif (part := _part(event)) is not None:
            _join(parts.setdefault(choice, []), part)
        if isinstance(event, TextPiece) and event.logprobs:
            logprobs.setdefault(choice, []).extend(event.logprobs)
    candidates = [
        _candidate(
            choice,
            parts.get(choice, []) + calls.get(choice, _Calls()).parts(),
            finished.get(choice, Finished("stop")),
            logprobs.get(choice),
        )
        for choice in sorted({0} | finished.keys() | parts.keys())
    ]
    body = {"candidates": candidates, "usageMetadata": usage_object(usage), "modelVersion": asked}
    return _encode({**body, "responseId": head or new_id("resp")})


def _join(parts: list[Written], part: Written) -> None:
    """Text runs on; a thought that is signed is complete."""
    last = parts[-1] if parts else {}
    is_same = "text" in last and "text" in part and last.get("thought") == part.get("thought")
    if is_same and "thoughtSignature" not in last:
        last["text"] += part["text"]
        last |= {name: value for name, value in part.items() if name == "thoughtSignature"}
    else:
        parts.append(part)


def _candidate(
    choice: int, parts: list[Written], finished: Finished | None = None, logprobs: list[Any] | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {"content": {"parts": parts or [{"text": ""}], "role": "model"}}
    if finished is not None:
        found["finishReason"] = said_finish(finished.reason)
    found["index"] = choice
    return found | ({"logprobsResult": _logprobs(logprobs)} if logprobs else {})


def _logprobs(tokens: list[Any]) -> dict[str, Any]:
    """From OpenAI's form."""
    tops = [{"candidates": [_token(other) for other in token.get("top_logprobs") or ()]} for token in tokens]
    return {"chosenCandidates": [_token(token) for token in tokens], "topCandidates": tops}


def _token(token: dict[str, Any]) -> dict[str, Any]:
    return {"token": token.get("token", ""), "logProbability": token.get("logprob", 0.0)}


class GenerateWriter:
    __slots__ = ("_asked", "_calls", "_head")

    def __init__(self, asked: str) -> None:
        self._asked = asked
        self._head: dict[str, str] = {}
        self._calls: dict[int, _Calls] = {}

    def write(self, event: Event) -> bytes:
        if isinstance(event, Begun):
            self._head = self._named(event.id)
            return b""
        if isinstance(event, ToolBegun | ArgumentsPiece):
            self._calls.setdefault(event.choice, _Calls()).take(event)
            return b""
        part = _part(event)
        if part is None:
            return b""
        logprobs = event.logprobs if isinstance(event, TextPiece) else None
        return self._chunk(_candidate(getattr(event, "choice", 0), [part], None, logprobs))

    def end(self, finished: list[Finished], usage: Usage, metadata: bytes) -> bytes:
        out = b""
        ends = finished or [Finished("stop")]
        for place, one in enumerate(ends):
            calls = self._calls.get(one.choice, _Calls()).parts()
            is_last = place == len(ends) - 1
            said: dict[str, Any] = {"usageMetadata": usage_object(usage)} if is_last else {}
            out += self._chunk(_candidate(one.choice, calls, one), said, metadata if is_last else b"")
        return out

    def fail(self, failure: Failed) -> bytes:
        return written(error_object(failure))

    def _chunk(self, candidate: dict[str, Any], more: dict[str, Any] | None = None, metadata: bytes = b"") -> bytes:
        self._head = self._head or self._named("")
        chunk: dict[str, Any] = {"candidates": [candidate], **(more or {}), **self._head}
        if metadata:
            chunk["brokle"] = msgspec.Raw(metadata)
        return written(_encode(chunk))

    def _named(self, stream_id: str) -> dict[str, str]:
        return {"modelVersion": self._asked, "responseId": stream_id or new_id("resp")}
