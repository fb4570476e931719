"""What the models of each maker call their inputs: every model at Replicate has a schema of its own.

By the pages of the official models, looked up 2026-11-27; a model of nobody known gets the names that most share.
"""

from typing import Final

import msgspec


class Family(msgspec.Struct, frozen=True):
    """Empty names are of inputs that are not there; a system's words without one stand before the prompt."""

    system: str = ""
    bound: str = "max_tokens"
    stop: str = ""
    image: str = ""
    images: str = ""
    effort: str = ""
    takes_messages: bool = False
    is_drawn: bool = True
    """Whether temperature and the like may be said."""


_USUAL: Final = Family()
_FAMILIES: Final = {
    "openai/o": Family(
        "system_prompt",
        "max_completion_tokens",
        images="image_input",
        effort="reasoning_effort",
        takes_messages=True,
        is_drawn=False,
    ),
    "openai/gpt-5": Family(
        "system_prompt",
        "max_completion_tokens",
        images="image_input",
        effort="reasoning_effort",
        takes_messages=True,
        is_drawn=False,
    ),
    "openai/gpt-oss": Family(),
    "openai/": Family("system_prompt", "max_completion_tokens", images="image_input", takes_messages=True),
    "anthropic/": Family("system_prompt", image="image", is_drawn=False),
    "google/gemini": Family("system_instruction", "max_output_tokens", images="images"),
    "meta/llama-2": Family("system_prompt", "max_new_tokens", "stop_sequences"),
    "meta/llama-4": Family(),
    "meta/": Family("system_prompt", stop="stop_sequences"),
    "mistralai/": Family("system_prompt", "max_new_tokens", "stop_sequences"),
    "ibm-granite/": Family("system_prompt", stop="stop_sequences"),
}


class Editor(msgspec.Struct, frozen=True):
    """What a model that changes pictures calls them."""

    image: str = "image"
    mask: str = ""
    takes_several: bool = False


_PAINTS_OVER: Final = Editor(mask="mask")
_EDITORS: Final = {
    "black-forest-labs/flux-kontext": Editor("input_image"),
    "black-forest-labs/flux-2": Editor("input_images", takes_several=True),
    "openai/gpt-image": Editor("input_images", takes_several=True),
    "google/": Editor("image_input", takes_several=True),
    "bytedance/seedream-": Editor("image_input", takes_several=True),
    "qwen/qwen-image-edit-": Editor("image", takes_several=True),
    "qwen/qwen-image-edit": Editor("image"),
}


def editor_of(model: str) -> Editor:
    return next((editor for prefix, editor in _EDITORS.items() if model.startswith(prefix)), _PAINTS_OVER)


def family_of(model: str) -> Family:
    return next((family for prefix, family in _FAMILIES.items() if model.startswith(prefix)), _USUAL)
