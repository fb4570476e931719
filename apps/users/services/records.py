"""The audit entries of accounts. They belong to no organization."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from brokle.ground.services import Actor, audit
from brokle.web.actor import actor_of
from brokle.web.addresses import normal_address


def record(
    action: str,
    *,
    user_id: str,
    actor: Actor,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """`account.signed_in` and its like; addresses and secrets never stand in it."""
    audit(
        organization_id="",
        actor=actor,
        action=f"account.{action}",
        target_kind="user",
        target_id=user_id,
        before=before,
        after=after,
    )


def record_failed_sign_in(*, address: str, actor: Actor, method: str = "password") -> None:
    """The same entry whether the address is known or not; it can be counted, not read."""
    audit(
        organization_id="",
        actor=actor,
        action="account.sign_in_failed",
        target_kind="address",
        target_id=address_mark(address),
        after={"method": method},
    )


def address_mark(address: str) -> str:
    """Tells two addresses apart without telling either."""
    return hmac.digest(settings.PEPPER, normal_address(address).encode(), hashlib.sha256).hex()[:32]


def person(request: Any, user_id: str) -> Actor:
    """Somebody who acts before or after their session exists: at sign-up, sign-in and reset."""
    seen = actor_of(request)
    return Actor("user", user_id, seen.ip, seen.user_agent, seen.request_id)
