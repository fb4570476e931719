"""What each generation of Claude takes, read from its name.

Sources, looked up 2026-11-27, platform.claude.com/docs: "Models overview" and "What's new" of Opus 4.7, 5 and 5.5
(largest outputs, thinking, forced tools), "Structured outputs", "Adaptive thinking", "Versions" (sampling).
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

_VERSION: Final = re.compile(r"(?<![\d.])(\d{1,2})(?:[-.](\d{1,2}))?(?![\d.])")
_NEWEST: Final = (99, 0)
_ALWAYS_THINK: Final = ("fable", "mythos")


class Generation(msgspec.Struct, frozen=True):
    largest_output: int | None = None
    """None where nobody knows it."""
    takes_sampling: bool = True
    takes_both_samplings: bool = True
    """`temperature` and `top_p` together."""
    takes_schema: bool = False
    thinks_by_effort: bool = False
    """Else by a number of tokens."""
    always_thinks: bool = False
    takes_forced_tools: bool = True

    @property
    def default_output(self) -> int:
        """Anthropic wants a bound; this one stands where the caller names none."""
        return _UNKNOWN_OUTPUT if self.largest_output is None else min(self.largest_output, _UNSAID_OUTPUT)


_UNSAID_OUTPUT: Final = 16_384
"""As much as a budget holds for a call that names no bound, see `admission`."""
_UNKNOWN_OUTPUT: Final = 4_096

# Servers of others that speak this dialect: the words it began with, which all of them know.
_COMPATIBLE: Final = Generation()


@lru_cache(maxsize=1024)
def generation_of(model: str) -> Generation:
    """A Claude whose name tells no version is taken for the newest: what it refuses, it refuses in its own words."""
    if "claude" not in model:
        return _COMPATIBLE
    version = _version(model)
    always_thinks = any(family in model for family in _ALWAYS_THINK) or ("opus" in model and version >= (5, 5))
    return Generation(
        largest_output=_largest_output(model, version),
        takes_sampling=version < (4, 7) and "mythos" not in model,
        takes_both_samplings=version < (4, 1),
        takes_schema=version >= (4, 5),
        thinks_by_effort=version >= (4, 6) or "mythos" in model,
        always_thinks=always_thinks,
        takes_forced_tools=not (always_thinks and version >= (5, 1)),
    )


def _version(model: str) -> tuple[int, int]:
    """`claude-opus-4-7`, `claude-3-7-sonnet-20250219`, `anthropic.claude-sonnet-4-6-v1:0`, `claude-4.7-opus`."""
    found = _VERSION.search(model, model.index("claude"))
    if found is None:
        return _NEWEST
    return int(found[1]), int(found[2] or 0)


def _largest_output(model: str, version: tuple[int, int]) -> int:
    if version >= (4, 6):
        return 128_000
    if version >= (4, 5):
        return 64_000
    if version >= (4, 0):
        return 32_000 if "opus" in model else 64_000
    if version >= (3, 7):
        return 64_000
    return 8_192 if version >= (3, 5) else 4_096
