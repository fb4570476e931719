"""How much Claude is asked to think: by a word or by a number, as its generation understands it."""

from typing import Any, Final

import msgspec

from apps.routing.edge.conversation import Conversation, Effort, Reasoning
from apps.routing.edge.dialects.anthropic.generations import Generation
from apps.routing.edge.dialects.speech import Missing
from brokle.kernel.errors import BadRequest

_LEAST_BUDGET: Final = 1024
_BUDGETS: Final[dict[Effort, int]] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16_384,
    "xhigh": 32_768,
    "max": 49_152,
}
_WORDS: Final[dict[Effort, str]] = {"minimal": "low"}


class Thinking(msgspec.Struct):
    """`config` is the `thinking` member, `effort` the word in `output_config`."""

    max_tokens: int
    config: dict[str, Any] = {}
    effort: str = ""

    @property
    def is_on(self) -> bool:
        return self.config.get("type") in ("enabled", "adaptive")

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = {"thinking": self.config} if self.config else {}
        return found | ({"output_config": {"effort": self.effort}} if self.effort else {})


def thinking_of(conversation: Conversation, generation: Generation, missing: Missing) -> Thinking:
    """Also how many tokens the answer may have: thoughts count among them."""
    bound = generation.default_output if conversation.max_output is None else conversation.max_output
    reasoning = conversation.reasoning
    if reasoning is None:
        return _said_outright(conversation, bound)
    if reasoning.effort == "none":
        return Thinking(bound, _disabled(generation, missing))
    if generation.thinks_by_effort:
        return _adaptive(reasoning, bound)
    return _budgeted(conversation, reasoning, generation, bound)


def _said_outright(conversation: Conversation, bound: int) -> Thinking:
    """Callers of other formats may write Anthropic's own member."""
    native = conversation.rest.get("thinking")
    config = msgspec.json.decode(native) if native is not None else {}
    if not isinstance(config, dict):
        raise BadRequest("thinking: Input should be an object", field="thinking")
    budget = config.get("budget_tokens")
    more = budget if isinstance(budget, int) and conversation.max_output is None else 0
    return Thinking(bound + more, config)


def _disabled(generation: Generation, missing: Missing) -> dict[str, Any]:
    if generation.always_thinks:
        missing.note("reasoning_effort", "this model always thinks")
        return {}
    return {"type": "disabled"} if generation.thinks_by_effort else {}


def _adaptive(reasoning: Reasoning, bound: int) -> Thinking:
    config: dict[str, Any] = {"type": "adaptive"} | _display(reasoning)
    return Thinking(bound, config, _word(reasoning))


def _word(reasoning: Reasoning) -> str:
    if reasoning.effort is not None:
        return _WORDS.get(reasoning.effort, reasoning.effort)
    if reasoning.budget_tokens is None:
        return ""
    return next(word for word in ("low", "medium", "high", "xhigh", "max") if _reaches(word, reasoning.budget_tokens))


def _reaches(word: str, budget_tokens: int) -> bool:
    return word == "max" or budget_tokens <= _BUDGETS[word]  # type: ignore[index]


def _budgeted(conversation: Conversation, reasoning: Reasoning, generation: Generation, bound: int) -> Thinking:
    """A wish in words yields to a bound the caller named; a number is passed on as it is."""
    largest = generation.largest_output or bound + _BUDGETS["max"]
    if reasoning.budget_tokens is not None:
        room = bound if conversation.max_output is not None else min(largest, bound + reasoning.budget_tokens)
        return Thinking(room, _enabled(reasoning.budget_tokens, reasoning))
    budget = _BUDGETS[reasoning.effort or "medium"]
    room = bound if conversation.max_output is not None else min(largest, bound + budget)
    budget = min(budget, bound // 2 if room == bound else room - bound)
    return Thinking(room, _enabled(budget, reasoning)) if budget >= _LEAST_BUDGET else Thinking(bound)


def _enabled(budget_tokens: int, reasoning: Reasoning) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget_tokens} | _display(reasoning)


def _display(reasoning: Reasoning) -> dict[str, Any]:
    if reasoning.shows is None:
        return {}
    return {"display": "summarized" if reasoning.shows else "omitted"}
