"""The built-in provider: answers with what it was told, so that a newcomer, a test or a demo needs no account."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from apps.routing.edge.dialects.openai import wire
from apps.routing.edge.usage import Usage
from brokle.kernel.errors import NotFound
from brokle.kernel.ids import new_id

MODELS: Final = {
    "fast": "answers at once",
    "slow": "takes a second, streams a word each 50 ms",
    "error-429": "fails with 429",
    "error-500": "fails with 500",
    "error-503": "fails with 503",
}


@dataclass(frozen=True, slots=True)
class EchoPlan:
    """What a model name asks for."""

    first_delay_s: float = 0.0
    word_delay_s: float = 0.0
    fail_status: int = 0


def plan_for(name: str) -> EchoPlan:
    if name == "fast":
        return EchoPlan()
    if name == "slow":
        return EchoPlan(first_delay_s=1.0, word_delay_s=0.05)
    kind, _, number = name.partition("-")
    if kind == "error" and number.isdigit() and 400 <= int(number) <= 599:
        return EchoPlan(fail_status=int(number))
    raise NotFound(f"There is no model `echo/{name}`; try `echo/fast`", field="model")


class EchoAnswer:
    """What an upstream would send, in OpenAI's form."""

    __slots__ = ("_delay_s", "_pieces", "status")

    def __init__(self, status: int, pieces: Iterator[bytes], delay_s: float = 0.0) -> None:
        self.status = status
        self._pieces = pieces
        self._delay_s = delay_s

    def header(self, name: str, default: str = "") -> str:
        return default

    async def next_chunk(self) -> bytes:
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        return next(self._pieces, b"")

    async def read(self, *, decode: bool = False) -> bytes:
        return b"".join(self._pieces)

    def close(self) -> None:
        self._pieces = iter(())


async def answer(plan: EchoPlan, model: str, body: bytes) -> EchoAnswer:
    ask = wire.read_ask(body)
    if plan.first_delay_s:
        await asyncio.sleep(plan.first_delay_s)
    if plan.fail_status:
        return EchoAnswer(plan.fail_status, iter([_refusal(plan.fail_status)]))
    messages = msgspec.json.decode(ask.messages)
    text = last_user_text(messages)
    used = Usage(input=sum(count_tokens(last_user_text([m])) for m in messages), output=count_tokens(text))
    head = {"id": new_id("chatcmpl"), "object": "chat.completion", "created": int(time.time()), "model": model}
    if ask.stream:
        return EchoAnswer(200, _events({**head, "object": "chat.completion.chunk"}, text, used), plan.word_delay_s)
    return EchoAnswer(200, iter([_whole(head, text, used)]))


def _whole(head: dict[str, Any], text: str, used: Usage) -> bytes:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return msgspec.json.encode({**head, "choices": [choice], "usage": wire.usage_object(used)})


def _events(head: dict[str, Any], text: str, used: Usage) -> Iterator[bytes]:
    def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _data({**head, "choices": [choice], "usage": None})

    yield event({"role": "assistant", "content": "", "refusal": None})
    for word in words(text):
        yield event({"content": word})
    yield event({}, "stop")
    yield _data({**head, "choices": [], "usage": wire.usage_object(used)})
    yield wire.DONE


def _data(event: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def _refusal(status: int) -> bytes:
    """The failure that was ordered."""
    message = "The echo provider failed, as its model name asked"
    error = {"message": message, "type": "server_error", "param": None, "code": f"echo_error_{status}"}
    return msgspec.json.encode({"error": error})


def last_user_text(messages: list[Any]) -> str:
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
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
    pieces = text.split(" ")
    return [piece if index == 0 else f" {piece}" for index, piece in enumerate(pieces)]
