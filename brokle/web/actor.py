from typing import Any

from brokle.edge.principal import Principal
from brokle.ground.services import Actor
from brokle.web.links import absolute_url


def actor_of(request: Any) -> Actor:
    """Who acts through this request, for the audit entry: an API key, a person, or nobody known.

    `is_support` was set when the person was found to be no member but the operator with support access.
    """
    kind, actor_id = _identity(request)
    return Actor(
        kind=kind,
        id=actor_id,
        ip=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("user-agent", ""),
        request_id=getattr(request, "request_id", ""),
        base_url=absolute_url("/", request).rstrip("/"),
    )


def _identity(request: Any) -> tuple[str, str]:
    principal = getattr(request, "auth", None)
    if isinstance(principal, Principal):
        return "key", principal.key_id
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return "support" if getattr(request, "is_support", False) else "user", str(user.pk)
    return "anonymous", ""
