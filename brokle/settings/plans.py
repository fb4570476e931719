"""`free:members=5,projects=3;pro:members=50`: what a plan includes. What is not named is unlimited."""

from brokle.settings.env import UnableToReadSetting

_NAMES = frozenset({"members", "projects"})


def plan_limits(text: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        plan, _, limits = part.partition(":")
        found[plan.strip()] = dict(_limit(limit) for limit in limits.split(","))
    return found


def _limit(text: str) -> tuple[str, int]:
    name, _, amount = (piece.strip() for piece in text.partition("="))
    if name not in _NAMES or not amount.isdigit():
        raise UnableToReadSetting(f"BROKLE_PLAN_LIMITS: {text.strip()!r} is not members=N or projects=N")
    return name, int(amount)
