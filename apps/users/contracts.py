from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the operator may know of an account: how it is kept, never what is in it."""

    id: str
    email: str
    name: str
    language: str
    is_verified: bool
    is_operator: bool
    is_locked: bool
    locked_at: datetime | None
    lock_reason: str
    second_factors: Sequence[str]
    sessions: int
    last_seen_at: datetime | None
    created_at: datetime
