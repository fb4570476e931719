"""Gemini's answers, whole or one chunk of a stream: read into events."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Kind, Media
from apps.routing.edge.dialects.gemini.wire import ErrorObject, WireUsage, failed, finish_of
from apps.routing.edge.dialects.seals import sealed_by_google
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Event,
    Finish,
    Finished,
    MediaPiece,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)
from brokle.kernel.ids import new_id


class _Call(msgspec.Struct):
    name: str = ""
    id: str | None = None
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _Blob(msgspec.Struct, rename="camel"):
    mime_type: str = ""
    data: str = ""


class Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    inline_data: _Blob | None = None


class _Content(msgspec.Struct):
    parts: list[Part] | None = None


class _Token(msgspec.Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _TopTokens(msgspec.Struct):
    candidates: list[_Token] | None = None


class _Logprobs(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_TopTokens] | None = None


class Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int = 0
    logprobs_result: _Logprobs | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None
    block_reason_message: str | None = None


class Answer(msgspec.Struct, rename="camel"):
    candidates: list[Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: WireUsage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: ErrorObject | None = None


decode_answer: Final = msgspec.json.Decoder(Answer).decode


def read_whole(body: bytes) -> WholeReply:
    answer = decode_answer(body)
    if answer.candidates is None and answer.prompt_feedback is None:
        raise msgspec.ValidationError("an answer has candidates")
    return WholeReply(Candidates().read(answer))


class Candidates:
    """What came of each candidate so far; calls are counted, since their ends are told like any other."""

    __slots__ = ("_begun", "_calls", "is_complete")

    def __init__(self) -> None:
        self._begun = False
        self._calls: dict[int, int] = {}
        self.is_complete = False

    def read(self, answer: Answer) -> list[Event]:
        """Nothing comes after an error."""
        if answer.error is not None:
            return [failed(answer.error, answer.error.code or 502)]
        events: list[Event] = []
        if not self._begun:
            self._begun = True
            events.append(Begun(answer.response_id or "", answer.model_version or ""))
        for candidate in answer.candidates or ():
            events += self._candidate(candidate)
        feedback = answer.prompt_feedback
        if feedback is not None and feedback.block_reason and not answer.candidates:
            events += self._blocked(feedback)
        if answer.usage_metadata is not None:
            usage = answer.usage_metadata.buckets()
            usage.is_estimated = not self.is_complete
            events.append(Used(usage))
        return events

    def _blocked(self, feedback: _Feedback) -> list[Event]:
        """The question itself was not let through."""
        self.is_complete = True
        said: list[Event] = [RefusalPiece(feedback.block_reason_message)] if feedback.block_reason_message else []
        return [*said, Finished("content_filter")]

    def _candidate(self, candidate: Candidate) -> list[Event]:
        events: list[Event] = []
        logprobs = _logprobs(candidate.logprobs_result)
        for part in (candidate.content.parts or ()) if candidate.content is not None else ():
            found = self._part(part, candidate.index)
            for event in found:
                if logprobs and isinstance(event, TextPiece):
                    event.logprobs, logprobs = logprobs, None
            events += found
        if candidate.finish_reason:
            self.is_complete = True
            finish: Finish = finish_of(candidate.finish_reason)
            if finish == "stop" and self._calls.get(candidate.index):
                finish = "tool_calls"
            events.append(Finished(finish, candidate.index))
        return events

    def _part(self, part: Part, choice: int) -> list[Event]:
        signature = part.thought_signature or ""
        if part.function_call is not None:
            return self._call(part.function_call, signature, choice)
        events: list[Event] = []
        if part.text:
            events.append(ThoughtPiece(part.text, choice=choice) if part.thought else TextPiece(part.text, choice))
        if part.inline_data is not None and part.inline_data.data:
            events.append(MediaPiece(media_of(part.inline_data.mime_type, part.inline_data.data), choice))
        if signature:
            events.append(ThoughtPiece(signature=sealed_by_google(signature), choice=choice))
        return events

    def _call(self, call: _Call, signature: str, choice: int) -> list[Event]:
        """Older models give no id; a caller needs one to give the result back."""
        index = self._calls.get(choice, 0)
        self._calls[choice] = index + 1
        arguments = bytes(call.args).decode()
        begun = ToolBegun(index, call.id or new_id("call"), call.name, choice, signature)
        return [begun, ArgumentsPiece(index, "{}" if arguments == "null" else arguments, choice)]


def media_of(mime: str, data: str) -> Media:
    head = mime.partition("/")[0]
    kind: Kind = head if head in {"image", "audio", "video"} else "file"  # type: ignore[assignment]
    return Media(kind, mime, data)


def _logprobs(result: _Logprobs | None) -> list[Any] | None:
    """In OpenAI's form."""
    if result is None or not result.chosen_candidates:
        return None
    tops = result.top_candidates or []
    found = []
    for place, chosen in enumerate(result.chosen_candidates):
        others = (tops[place].candidates or []) if place < len(tops) else []
        found.append({**_token(chosen), "top_logprobs": [_token(other) for other in others]})
    return found


def _token(token: _Token) -> dict[str, Any]:
    return {"token": token.token, "logprob": token.log_probability, "bytes": list(token.token.encode())}
