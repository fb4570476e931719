"""What a license says. Times are whole seconds of UTC since 1970."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

State = Literal["early", "valid", "grace", "expired"]

_DAY_S = 24 * 60 * 60
EVERY_ORGANIZATION = "*"


class UnableToReadLicense(Exception):
    """One line for the operator; never the license itself."""


class License(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: Literal[1]
    kid: str
    id: str
    org: str
    plan: str
    features: list[str]
    limits: dict[str, int]
    nbf: int
    exp: int
    grace_days: int

    def state(self, now: datetime) -> State:
        second = now.timestamp()
        if second < self.nbf:
            return "early"
        if second < self.exp:
            return "valid"
        return "grace" if second < self.exp + self.grace_days * _DAY_S else "expired"

    def covers(self, organization_id: str | None) -> bool:
        """A license for one organization answers for it and, asked about none, for the installation."""
        return self.org == EVERY_ORGANIZATION or organization_id in {None, self.org}

    @property
    def starts_at(self) -> datetime:
        return datetime.fromtimestamp(self.nbf, UTC)

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.exp, UTC)
