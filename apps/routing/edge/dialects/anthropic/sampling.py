"""What each generation of Claude lets its callers say of how words are drawn."""

from typing import Any

from apps.routing.edge.conversation import Sampling
from apps.routing.edge.dialects.anthropic.generations import Generation
from apps.routing.edge.dialects.speech import Missing


def sampling_of(sampling: Sampling, generation: Generation, missing: Missing, *, is_thinking: bool) -> dict[str, Any]:
    """1 is what every model does unasked, and so is always understood."""
    given = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
    wanted = {name: value for name, value in given.items() if value is not None}
    if not generation.takes_sampling or is_thinking:
        for name, value in wanted.items():
            if name == "top_k" or value != 1:
                missing.note(name, "while it thinks" if is_thinking else "this model takes none")
        return {}
    if wanted.get("temperature", 0) > 1:
        missing.note("temperature", "above 1")
        del wanted["temperature"]
    if "temperature" in wanted and "top_p" in wanted and not generation.takes_both_samplings:
        if wanted["top_p"] != 1:
            missing.note("top_p", "together with `temperature`")
        del wanted["top_p"]
    return wanted
