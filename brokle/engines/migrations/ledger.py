"""The words both databases share."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

State = Literal["applied", "pending", "dirty"]
Direction = Literal["up", "down"]


class UnableToMigrate(Exception):
    """One line that says what is wrong and the mend."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration as `status` shows it."""

    database: str
    version: str
    name: str
    state: State
    at: datetime | None = None
    error: str = ""
    mend: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One migration to run, or run: its statements, and how long it took."""

    database: str
    version: str
    name: str
    direction: Direction
    statements: tuple[str, ...] = ()
    seconds: float = 0.0


class Migrator(Protocol):
    database: str

    def status(self) -> list[Entry]: ...

    def plan_up(self, steps: int | None, *, with_sql: bool = False) -> list[Step]: ...

    def plan_down(self, steps: int | None, *, with_sql: bool = False) -> list[Step]: ...

    def up(self, steps: int | None) -> Iterator[Step]: ...

    def down(self, steps: int | None) -> Iterator[Step]: ...

    def force(self, version: str, *, applied: bool | None) -> Entry: ...

    def drop(self) -> list[str]: ...


def refuse_dirty(entries: list[Entry]) -> None:
    for entry in entries:
        if entry.state == "dirty":
            raise UnableToMigrate(f"{entry.database} {entry.version} is dirty ({entry.error}); {entry.mend}")


def one_line(error: object, limit: int = 400) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
