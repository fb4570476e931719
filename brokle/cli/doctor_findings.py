"""What `brokle doctor` finds."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    state: State
    detail: str
    mend: str = ""
