"""What the shell shows about where one is: `request.workspace`, set by the room that owns organizations."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["ok", "warn", "bad", "idle"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A line of the switcher of organizations, or of environments."""

    name: str
    detail: str
    href: str
    active: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """The meter at the foot of the sidebar."""

    used: int
    limit: int
    href: str = ""

    @property
    def share(self) -> float:
        return self.used / self.limit if self.limit else 0.0

    @property
    def tone(self) -> Tone:
        if self.share >= 1:
            return "bad"
        return "warn" if self.share >= 0.8 else "ok"


@dataclass(frozen=True, slots=True)
class Workspace:
    organization: str
    plan: str = ""
    environment: str = ""
    environment_tone: Tone = "ok"
    choices: list[Choice] = field(default_factory=list)
    environments: list[Choice] = field(default_factory=list)
    quota: Quota | None = None
    organization_id: str | None = None
    url_kwargs: dict[str, str] = field(default_factory=dict)
    may: Callable[[str], bool] = field(default=lambda _: True)
