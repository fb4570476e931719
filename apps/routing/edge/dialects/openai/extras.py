"""What Google's OpenAI-compatible service says beside a tool call, and wants back with it: the seal of its thought."""

from typing import Any

import msgspec


class _Google(msgspec.Struct):
    thought_signature: str | None = None


class ExtraContent(msgspec.Struct):
    google: _Google | None = None


def seal_in(extra: ExtraContent | None) -> str:
    return (extra.google.thought_signature or "") if extra is not None and extra.google is not None else ""


def with_seal(call: dict[str, Any], seal: str) -> dict[str, Any]:
    return {**call, "extra_content": {"google": {"thought_signature": seal}}} if seal else call
