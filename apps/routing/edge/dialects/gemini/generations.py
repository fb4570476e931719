"""What each generation of Gemini takes and refuses, by its name."""

import re
from typing import Final

import msgspec

_NAME: Final = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_NEWEST: Final = (3, 0)


class Generation(msgspec.Struct, frozen=True):
    thinks: bool = True
    thinks_by_level: bool = True
    """By a word; the generation before by a number of tokens."""
    always_thinks: bool = True
    wants_seals: bool = True
    """Whether a call in the history without its seal is refused."""
    takes_shape_beside_tools: bool = True


def generation_of(model: str) -> Generation:
    """A Gemini without a number in its name ("gemini-flash-latest") is the newest; other models do not think."""
    name = model.rpartition("/")[2]
    found = _NAME.match(name)
    if found is None and not name.startswith("gemini"):
        return Generation(thinks=False, always_thinks=False, wants_seals=False, takes_shape_beside_tools=False)
    version = (int(found[1]), int(found[2] or 0)) if found else _NEWEST
    if version >= _NEWEST:
        return Generation()
    return Generation(
        thinks=version >= (2, 5),
        thinks_by_level=False,
        always_thinks="pro" in name and version >= (2, 5),
        wants_seals=False,
        takes_shape_beside_tools=False,
    )
