"""Walks the audit entries of every organization and finds the first that is not what was written."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from brokle.ground.models import AuditEntry
from brokle.ground.services import FIRST_HASH, hash_of


@dataclass(frozen=True, slots=True)
class Broken:
    organization_id: str
    sequence: int
    entry_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    entries: int
    organizations: int
    broken: tuple[Broken, ...]


def verify_chains() -> Verdict:
    """The first bad entry of each organization; what follows it cannot be judged."""
    entries = AuditEntry.objects.order_by("organization_id", "sequence").iterator(chunk_size=2000)
    organizations, broken = 0, []
    counted = _Counted(entries)
    for organization_id, chain in groupby(counted, key=attrgetter("organization_id")):
        organizations += 1
        found = _first_broken(organization_id, chain)
        if found is not None:
            broken.append(found)
    return Verdict(counted.count, organizations, tuple(broken))


class _Counted:
    def __init__(self, entries: Iterator[AuditEntry]) -> None:
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[AuditEntry]:
        for entry in self._entries:
            self.count += 1
            yield entry


def _first_broken(organization_id: str, chain: Iterator[AuditEntry]) -> Broken | None:
    expected, previous = 1, FIRST_HASH
    for entry in chain:
        reason = _fault(entry, expected, previous)
        if reason:
            return Broken(organization_id, entry.sequence, entry.entry_id, reason)
        expected, previous = expected + 1, entry.hash
    return None


def _fault(entry: AuditEntry, expected: int, previous: str) -> str:
    if entry.sequence != expected:
        return f"entry {expected} is missing"
    if entry.previous_hash != previous:
        return "it does not follow the entry before it"
    if entry.hash != hash_of(entry):
        return "its content was changed"
    return ""
