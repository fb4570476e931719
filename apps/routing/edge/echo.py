"""The built-in provider: answers with what it was told, so that a newcomer, a test or a demo needs no account."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.openai import wire
from apps.routing.edge.echo_script import FIRST_TOOL, Script
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import BadRequest, UpstreamFailed
from brokle.kernel.ids import new_id

_LOREM: Final = ("peace", "upon", "the", "reader", "and", "blessings", "for", "every", "patient", "word")


class EchoAnswer:
    """What an upstream would send, in OpenAI's form."""

    __slots__ = ("_break_after", "_delay_s", "_pieces", "_sent", "status")

    def __init__(self, status: int, pieces: Iterator[bytes], *, delay_s: float = 0.0, break_after: int = 0) -> None:
        self.status = status
        self._pieces = pieces
        self._delay_s = delay_s
        self._break_after = break_after
        self._sent = 0

    def header(self, name: str, default: str = "") -> str:
        return default

    async def next_chunk(self) -> bytes:
        if self._delay_s and self._sent:
            await asyncio.sleep(self._delay_s)
        if self._break_after and self._sent >= self._break_after:
            raise UpstreamFailed("The echo provider broke off, as it was told")
        self._sent += 1
        return next(self._pieces, b"")

    async def read(self, *, decode: bool = False) -> bytes:
        return b"".join(self._pieces)

    def close(self) -> None:
        self._pieces = iter(())


class _Said(msgspec.Struct):
    """What is answered: a text, or a call of a tool with it."""

    text: str
    thought: str = ""
    tool: str = ""

    @property
    def arguments(self) -> str:
        """What was said, where it is a JSON object; else as the one argument `text`."""
        try:
            is_object = isinstance(msgspec.json.decode(self.text), dict)
        except msgspec.DecodeError:
            is_object = False
        return self.text if is_object else msgspec.json.encode({"text": self.text}).decode()

    @property
    def finish_reason(self) -> str:
        return "tool_calls" if self.tool else "stop"


class _Function(msgspec.Struct):
    name: str = ""


class _Tool(msgspec.Struct):
    function: _Function | None = None


class _Tools(msgspec.Struct):
    tools: list[_Tool] | None = None


_decode_tools: Final = msgspec.json.Decoder(_Tools).decode


async def answer(script: Script, model: str, body: bytes) -> EchoAnswer:
    ask = wire.read_ask(body)
    if script.latency_ms:
        await asyncio.sleep(script.latency_ms / 1000)
    if script.status >= 400:
        return EchoAnswer(script.status, iter([_refusal(script.status)]))
    messages = msgspec.json.decode(ask.messages)
    said = _answered(script, messages, _tools_of(body))
    used = Usage(
        input=sum(count_tokens(_text_of(message.get("content"))) for message in messages if isinstance(message, dict)),
        output=count_tokens(said.arguments if said.tool else said.text),
        reasoning=count_tokens(said.thought),
    )
    head = {"id": new_id("chatcmpl"), "object": "chat.completion", "created": int(time.time()), "model": model}
    if not ask.stream:
        return EchoAnswer(200, iter([_whole(head, said, used)]))
    events = _events({**head, "object": "chat.completion.chunk"}, said, used)
    return EchoAnswer(200, events, delay_s=script.word_delay_s, break_after=script.break_after)


def _tools_of(body: bytes) -> list[_Tool]:
    try:
        return _decode_tools(body).tools or []
    except msgspec.ValidationError as error:
        raise BadRequest(str(error), field="tools") from error


def _answered(script: Script, messages: list[Any], tools: list[_Tool]) -> _Said:
    text = " ".join(_words(script.size)) if script.size else last_text(messages)
    thought = " ".join(_words(script.reasoning))
    has_result = isinstance(messages[-1], dict) and messages[-1].get("role") == "tool"
    if not script.tool or has_result:
        return _Said(text, thought)
    names = [tool.function.name for tool in tools if tool.function is not None]
    name = (names[0] if names else "") if script.tool == FIRST_TOOL else script.tool
    return _Said(text, thought, name)


def _words(count: int) -> list[str]:
    return [_LOREM[place % len(_LOREM)] for place in range(count)]


def _whole(head: dict[str, Any], said: _Said, used: Usage) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None}
    if said.tool:
        message |= {"content": None, "tool_calls": [_call(said)]}
    if said.thought:
        message["reasoning_content"] = said.thought
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish_reason}
    return msgspec.json.encode({**head, "choices": [choice], "usage": wire.usage_object(used)})


def _call(said: _Said) -> dict[str, Any]:
    return {"id": f"call_{said.tool}", "type": "function", "function": {"name": said.tool, "arguments": said.arguments}}


def _events(head: dict[str, Any], said: _Said, used: Usage) -> Iterator[bytes]:
    def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _data({**head, "choices": [choice], "usage": None})

    yield event({"role": "assistant", "content": "", "refusal": None})
    for word in words(said.thought):
        yield event({"reasoning_content": word})
    if said.tool:
        call = _call(said)
        yield event({"tool_calls": [{"index": 0, **call, "function": {"name": said.tool, "arguments": ""}}]})
        for piece in words(said.arguments):
            yield event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        for word in words(said.text):
            yield event({"content": word})
    yield event({}, said.finish_reason)
    yield _data({**head, "choices": [], "usage": wire.usage_object(used)})
    yield wire.DONE


def _data(event: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def _refusal(status: int) -> bytes:
    """The failure that was ordered."""
    message = "The echo provider failed, as it was told"
    error = {"message": message, "type": "server_error", "param": None, "code": f"echo_error_{status}"}
    return msgspec.json.encode({"error": error})


def last_text(messages: list[Any]) -> str:
    """Of the last message a user or a tool sent."""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") in ("user", "tool"):
            return _text_of(message.get("content"))
    return ""


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(p.get("text", "") for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return ""


def count_tokens(text: str) -> int:
    """Deterministic and documented: one token per four bytes of UTF-8, begun ones counted."""
    return -(-len(text.encode()) // 4)


def words(text: str) -> list[str]:
    """Pieces that join to exactly the text."""
    pieces = text.split(" ") if text else []
    return [piece if index == 0 else f" {piece}" for index, piece in enumerate(pieces)]
