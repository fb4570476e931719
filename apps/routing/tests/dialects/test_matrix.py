"""Any format of callers, answered by any provider: each pair, whole and streamed, judged by the caller's own SDK.

What is relayed as it came has tests of its own; here stands what is read in one form and written in another.
"""

import json

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from apps.routing.edge.book import ModelRecord, ProviderRecord
from apps.routing.edge.dialects.anthropic.messages import MessagesFormat
from apps.routing.edge.dialects.catalog import DIALECTS
from apps.routing.edge.dialects.gemini.generate import GenerateFormat
from apps.routing.edge.dialects.openai.chat import ChatFormat
from apps.routing.edge.dialects.openai.completions import CompletionsFormat
from apps.routing.edge.dialects.responses.responses import ResponsesFormat
from apps.routing.edge.dialects.sse import Events
from apps.routing.edge.lines import Translated
from apps.routing.edge.measures import Measure
from apps.routing.edge.reply import Used
from apps.routing.edge.upstreams import Upstream
from apps.routing.edge.usage import Usage
from apps.routing.tests.dialects.goldens import (
    CALLS,
    FEATURES,
    GOLDENS,
    LOGPROBS,
    SHAPED,
    TEXT,
    THOUGHT,
    UNSAID,
    USED,
)
from brokle.edge.http import Request

HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
FORMATS = {
    "chat": (ChatFormat(), "/v1/chat/completions", {"model": "m", "messages": HI}),
    "messages": (MessagesFormat(), "/v1/messages", {"model": "m", "max_tokens": 50, "messages": HI}),
    "responses": (ResponsesFormat(), "/v1/responses", {"model": "m", "input": "hi", "tools": [TOOL]}),
    "generate": (GenerateFormat(), "/v1beta/models/m:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
    "completions": (CompletionsFormat(), "/v1/completions", {"model": "m", "prompt": "hi"}),
}
ENDS = {
    "chat": {"calls": "tool_calls", "length": "length", "filtered": "content_filter", "": "stop"},
    "messages": {"calls": "tool_use", "length": "max_tokens", "filtered": "refusal", "": "end_turn"},
    "responses": {"length": "max_output_tokens", "filtered": "content_filter", "": "completed"},
    "generate": {"length": "MAX_TOKENS", "filtered": "SAFETY", "": "STOP"},
    "completions": {"calls": "tool_calls", "length": "length", "filtered": "content_filter", "": "stop"},
}
_response_event, _message_event = TypeAdapter(ResponseStreamEvent), TypeAdapter(RawMessageStreamEvent)


class Said:
    """What an SDK understands of an answer."""

    def __init__(self):
        self.text = self.thought = self.end = ""
        self.calls = []
        self.usage = ()
        self.logprobs = []

    def call(self, name, arguments):
        self.calls.append((name, json.loads(arguments) if isinstance(arguments, str) else arguments))


def read_chat(whole, streamed):
    said, calls = Said(), {}
    pieces = [ChatCompletion.model_validate_json(whole)] if whole else []
    pieces += [ChatCompletionChunk.model_validate_json(data) for _, data in streamed if data != b"[DONE]"]
    for piece in pieces:
        for choice in piece.choices:
            told = choice.message if whole else choice.delta
            said.text += told.content or ""
            said.thought += (told.model_extra or {}).get("reasoning_content") or ""
            said.end = choice.finish_reason or said.end
            said.logprobs += (choice.logprobs.content or []) if choice.logprobs else []
            for place, call in enumerate(told.tool_calls or ()):
                held = calls.setdefault(place if whole else call.index, ["", ""])
                held[0] += call.function.name or ""
                held[1] += call.function.arguments or ""
        if piece.usage:
            counted = piece.usage
            details = counted.prompt_tokens_details.cached_tokens, counted.completion_tokens_details.reasoning_tokens
            said.usage = (counted.prompt_tokens, counted.completion_tokens, *details)
    for name, arguments in calls.values():
        said.call(name, arguments)
    return said


def _unjudged(data):
    """The SDK has one type for answers and pieces, in which a piece that is no end has no place."""
    return Completion.construct(**json.loads(data))


def read_completions(whole, streamed):
    said = Said()
    pieces = [Completion.model_validate_json(whole)] if whole else []
    pieces += [_unjudged(data) for _, data in streamed if data != b"[DONE]"]
    for piece in pieces:
        for choice in piece.choices:
            said.text += choice.text
            said.end = choice.finish_reason or said.end
        if piece.usage:
            said.usage = (piece.usage.prompt_tokens, piece.usage.completion_tokens)
    return said


def read_messages(whole, streamed):
    said, blocks, usage = Said(), {}, {}
    if whole:
        message = Message.model_validate_json(whole)
        blocks = {place: block.model_dump() for place, block in enumerate(message.content)}
        said.end, usage = message.stop_reason, message.usage.model_dump()
    for event in (_message_event.validate_json(data) for name, data in streamed if name != b"ping"):
        if event.type == "content_block_start":
            blocks[event.index] = {**event.content_block.model_dump(), "input": ""}
        elif event.type == "content_block_delta":
            for name, held in (("text", "text"), ("thinking", "thinking"), ("partial_json", "input")):
                blocks[event.index][held] = blocks[event.index].get(held, "") + getattr(event.delta, name, "")
        elif event.type == "message_delta":
            said.end = event.delta.stop_reason
            usage = {name: value for name, value in event.usage.model_dump().items() if value is not None}
    for block in blocks.values():
        said.text += block.get("text") or ""
        said.thought += block.get("thinking") or ""
        if block["type"] == "tool_use":
            said.call(block["name"], block["input"])
    said.usage = (usage["input_tokens"], usage.get("cache_read_input_tokens") or 0, usage["output_tokens"])
    return said


def read_responses(whole, streamed):
    said = Said()
    events = [_response_event.validate_json(data) for _, data in streamed]
    found = Response.model_validate_json(whole) if whole else events[-1].response
    for item in found.output:
        if item.type == "message":
            said.text += "".join(part.text for part in item.content)
            said.logprobs += [one for part in item.content for one in part.logprobs or ()]
        elif item.type == "reasoning":
            said.thought += "".join(part.text for part in item.summary)
        elif item.type == "function_call":
            said.call(item.name, item.arguments)
    said.end = found.incomplete_details.reason if found.incomplete_details else found.status
    counted = found.usage
    cached, reasoned = counted.input_tokens_details.cached_tokens, counted.output_tokens_details.reasoning_tokens
    said.usage = (counted.input_tokens, counted.output_tokens, cached, reasoned)
    return said


def read_generate(whole, streamed):
    said = Said()
    pieces = [GenerateContentResponse.model_validate_json(data) for data in ([whole] if whole else [])]
    pieces += [GenerateContentResponse.model_validate_json(data) for _, data in streamed]
    for piece in pieces:
        for candidate in piece.candidates or ():
            for part in (candidate.content.parts if candidate.content else None) or ():
                if part.function_call:
                    said.call(part.function_call.name, part.function_call.args)
                elif part.thought:
                    said.thought += part.text or ""
                else:
                    said.text += part.text or ""
            said.end = candidate.finish_reason.value if candidate.finish_reason else said.end
            said.logprobs += candidate.logprobs_result.chosen_candidates if candidate.logprobs_result else []
    counted = pieces[-1].usage_metadata
    cached, reasoned = counted.cached_content_token_count or 0, counted.thoughts_token_count or 0
    said.usage = (counted.prompt_token_count, counted.candidates_token_count, cached, reasoned)
    return said


READERS = {
    "chat": read_chat,
    "messages": read_messages,
    "responses": read_responses,
    "generate": read_generate,
    "completions": read_completions,
}


def counted(spoken, usage):
    """As the format counts: what is in which."""
    found = {
        "messages": (usage.input, usage.cache_read, usage.all_output),
        "generate": (usage.all_input, usage.all_output - usage.reasoning, usage.cache_read, usage.reasoning),
        "completions": (usage.all_input, usage.all_output),
    }
    return found.get(spoken, (usage.all_input, usage.all_output, usage.cache_read, usage.reasoning))


def answered(spoken, dialect, feature, *, is_stream):
    """The golden answer of a provider as a caller of the format gets it."""
    form, path, body = FORMATS[spoken]
    if is_stream:
        body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        path = path.replace("generateContent", "streamGenerateContent")
    if spoken in {"generate", "messages", "responses"}:
        body.pop("stream_options", None)
    if spoken == "generate":
        body.pop("stream", None)
    request = Request({"method": "POST", "path": path, "headers": []}, None, None)
    ask = form.read_ask(request, json.dumps(body).encode())
    whole, stream = (made(feature) for made in GOLDENS[dialect])
    if not is_stream:
        reply = DIALECTS[dialect].read_whole(whole)
        assert [event.usage for event in reply.events if isinstance(event, Used)] == [USED[dialect]]
        return READERS[spoken](form.write_whole(reply, ask), [])
    upstream = Upstream(ProviderRecord("p", "p", dialect, ""), ModelRecord("m", "m"), [], None, Measure())
    translated = Translated(form.writer(ask), upstream, None, lambda _events: Usage())
    out = b"".join(translated.feed(stream[start : start + 7]) for start in range(0, len(stream), 7))
    out += translated.finish()
    assert translated.is_done
    assert translated.usage == USED[dialect]
    return READERS[spoken](b"", Events().feed(out))


def is_relayed(spoken, dialect):
    return DIALECTS[dialect].speaks(FORMATS[spoken][0].name)


PAIRS = [
    (spoken, dialect, feature)
    for spoken in FORMATS
    for dialect in GOLDENS
    for feature in FEATURES
    if not is_relayed(spoken, dialect) and feature not in UNSAID.get(dialect, ())
    if not (spoken == "completions" and feature in {"calls", "thoughts"})
]


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("spoken", "dialect", "feature"), PAIRS)
def test_an_answer_says_to_every_caller_what_the_provider_said(spoken, dialect, feature, is_stream):
    said = answered(spoken, dialect, feature, is_stream=is_stream)
    assert said.text == {"calls": "", "shape": SHAPED}.get(feature, TEXT)
    assert said.thought == (THOUGHT if feature == "thoughts" else "")
    assert said.calls == ([(name, arguments) for _, name, arguments in CALLS] if feature == "calls" else [])
    assert said.end == ENDS[spoken].get(feature, ENDS[spoken][""])
    assert said.usage == counted(spoken, USED[dialect])


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", sorted(LOGPROBS))
@pytest.mark.parametrize("spoken", ["chat", "responses", "generate"])
def test_probabilities_reach_who_can_be_told(spoken, dialect, is_stream):
    if is_relayed(spoken, dialect):
        return
    said = answered(spoken, dialect, "logprobs", is_stream=is_stream)
    assert [one.token for one in said.logprobs] == ["Peace"]


def test_every_dialect_has_goldens():
    """Those that are OpenAI's with another name, or answer nothing but what they are told, need none of their own."""
    assert DIALECTS.keys() - GOLDENS.keys() == {"openai-compatible", "echo"}
