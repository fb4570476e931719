"""Which license is in force here, and what it grants. Read again every hour, so that a renewal needs no restart."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

from brokle.kernel.clock import Clock
from brokle.settings.env import Environment
from ee.license.contracts import State, UnableToReadLicense
from ee.license.services.keys import trusted_keys
from ee.license.services.token import Verified, verify

log = logging.getLogger("brokle.license")

_READ_AGAIN = timedelta(hours=1)
_IN_FORCE: frozenset[State] = frozenset({"valid", "grace"})


def configured_text(environment: Environment) -> str:
    """The license's text from the environment or the file it names; empty when there is none."""
    if environment.given("BROKLE_LICENSE"):
        return environment.text("BROKLE_LICENSE").strip()
    if not environment.given("BROKLE_LICENSE_FILE"):
        return ""
    path = environment.text("BROKLE_LICENSE_FILE")
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a license"
        raise UnableToReadLicense(f"cannot read {path} of BROKLE_LICENSE_FILE: {reason}") from None


def find_license(environment: Environment) -> Verified | None:
    text = configured_text(environment)
    return verify(text, trusted_keys(environment.items("BROKLE_LICENSE_TEST_KEYS"))) if text else None


class LicenseInForce:
    """Answers the kernel's question; a license that cannot be read grants nothing and is logged, never raised."""

    def __init__(self, environment: Environment, clock: Clock) -> None:
        self._environment, self._clock = environment, clock
        self._found: Verified | None = None
        self._read_at: datetime | None = None

    def grants(self, feature: str, organization_id: str | None) -> bool:
        now = self._clock()
        found = self._license(now)
        if found is None or found.license.state(now) not in _IN_FORCE:
            return False
        return feature in found.license.features and found.license.covers(organization_id)

    def _license(self, now: datetime) -> Verified | None:
        if self._read_at is None or not timedelta() <= now - self._read_at < _READ_AGAIN:
            self._read_at = now
            self._found = self._read(now)
        return self._found

    def _read(self, now: datetime) -> Verified | None:
        try:
            found = find_license(self._environment)
        except UnableToReadLicense as error:
            log.error("license refused", extra={"reason": str(error)})  # noqa: TRY400 - the reason is the whole story
            return None
        if found is not None:
            self._tell(found, now)
        return found

    @staticmethod
    def _tell(found: Verified, now: datetime) -> None:
        state = found.license.state(now)
        told = {"license": found.license.id, "state": state, "expires_at": found.license.expires_at.isoformat()}
        if state != "valid" or found.for_tests:
            log.warning("license needs attention", extra={**told, "for_tests": found.for_tests})
        else:
            log.info("license in force", extra=told)
