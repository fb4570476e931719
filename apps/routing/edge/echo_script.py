"""What the echo provider is told to do: by the model's name, or by the header `x-brokle-echo`.

`echo/latency=200,rate=50,break=5` waits 200 ms, streams 50 words a second and breaks off after five events.
"""

from typing import Final

import msgspec

from brokle.kernel.errors import BadRequest, NotFound

NAMES: Final = {
    "fast": "answers at once",
    "slow": "takes a second, streams a word each 50 ms",
    "tool": "calls the first tool it is offered",
    "reasoning": "thinks twenty words, then answers",
    "error-429": "fails with 429",
    "error-500": "fails with 500",
    "error-503": "fails with 503",
}
_MOST: Final = {
    "latency": 600_000,
    "rate": 100_000,
    "size": 100_000,
    "status": 599,
    "break": 100_000,
    "reasoning": 10_000,
}
_HELP: Final = "latency=MS, rate=WORDS_A_SECOND, size=WORDS, status=CODE, break=EVENTS, reasoning=WORDS, tool=NAME"
FIRST_TOOL: Final = "*"


class Script(msgspec.Struct, frozen=True):
    """`size` 0 gives back what was said; `break_after` and `status` 0 are never."""

    latency_ms: int = 0
    rate: int = 0
    size: int = 0
    status: int = 0
    break_after: int = 0
    reasoning: int = 0
    tool: str = ""

    @property
    def word_delay_s(self) -> float:
        return 1 / self.rate if self.rate else 0.0


_NAMED: Final = {
    "fast": Script(),
    "slow": Script(latency_ms=1000, rate=20),
    "tool": Script(tool=FIRST_TOOL),
    "reasoning": Script(reasoning=20),
}


def script_of(name: str, header: str = "") -> Script:
    """The header's words come on top of the name's."""
    script = _of_name(name)
    return _read(header, script, BadRequest) if header else script


def _of_name(name: str) -> Script:
    if name in _NAMED:
        return _NAMED[name]
    kind, _, number = name.partition("-")
    if kind == "error" and number.isascii() and number.isdigit() and 400 <= int(number[:4]) <= 599:
        return Script(status=int(number[:4]))
    if "=" not in name:
        raise NotFound(f"There is no model `echo/{name[:100]}`; try `echo/fast`, or say {_HELP}", field="model")
    return _read(name, Script(), NotFound)


def _read(text: str, script: Script, error: type[BadRequest | NotFound]) -> Script:
    changes: dict[str, int | str] = {}
    for word in text.replace(";", ",").split(","):
        name, _, value = (part.strip() for part in word.partition("="))
        if name == "tool" and 0 < len(value) <= 64:
            changes["tool"] = value
        elif name in _MOST and value.isascii() and value.isdigit() and int(value[:9]) <= _MOST[name]:
            changes[{"latency": "latency_ms", "break": "break_after"}.get(name, name)] = int(value[:9])
        else:
            raise error(f"The echo provider does not understand `{word[:60]}`; it knows {_HELP}", field="model")
    return msgspec.structs.replace(script, **changes)
