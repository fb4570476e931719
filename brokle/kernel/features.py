"""One question everywhere: `features.granted("sso", organization_id)`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

FEATURES = frozenset({"sso", "scim", "rbac", "compliance", "insights", "dashboards"})


class Granter(Protocol):
    def __call__(self, feature: str, organization_id: str | None) -> bool: ...


_licence: list[Granter] = []
_plans: list[Granter] = []


def register_licence(granter: Granter) -> None:
    """ee calls this once; without it no enterprise feature is granted."""
    _licence[:] = [granter]


def register_plans(granter: Granter) -> None:
    """Billing calls this when it is on; without it plans withhold nothing."""
    _plans[:] = [granter]


@contextmanager
def licence_plugged(granter: Granter | None) -> Iterator[None]:
    """For tests: inside the block this licence is the one in force, or none is."""
    before = list(_licence)
    _licence[:] = [granter] if granter is not None else []
    try:
        yield
    finally:
        _licence[:] = before


def granted(feature: str, organization_id: str | None = None) -> bool:
    if feature not in FEATURES:
        raise ValueError(f"unknown feature {feature!r}")
    if not any(grant(feature, organization_id) for grant in _licence):
        return False
    return all(grant(feature, organization_id) for grant in _plans)
