"""Who opened the socket, and from where: the console's session, or a token that a room recognizes."""

from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.utils.crypto import constant_time_compare

from brokle.kernel.errors import Unauthorized
from brokle.web.authentication import find_bearer

SUBPROTOCOL = "bearer"
_TOKEN_LONGEST = 8192


def person_room(user_id: str) -> str:
    """Not a room one can subscribe to: where a person's sockets hear that they should ask anew who they are."""
    return f"@person:{user_id}"


def presented_token(scope: Any) -> str:
    """From `Authorization: Bearer …`, or for browsers the subprotocols `bearer, …`."""
    kind, _, value = _header(scope, b"authorization").partition(" ")
    if kind.lower() == "bearer" and value:
        return value.strip()[:_TOKEN_LONGEST]
    offered = scope.get("subprotocols") or []
    if len(offered) == 2 and offered[0].lower() == SUBPROTOCOL:
        return str(offered[1])[:_TOKEN_LONGEST]
    return ""


async def find_person(scope: Any) -> Any | None:
    """A presented token decides alone: a wrong one is not excused by a cookie."""
    token = presented_token(scope)
    if token:
        return await database_sync_to_async(_person_of)(token)
    user = scope.get("user")
    return user if getattr(user, "is_authenticated", False) else None


def _person_of(token: str) -> Any | None:
    try:
        found = find_bearer(token)
    except Unauthorized:
        return None
    return found.user if found else None


async def session_lives(scope: Any) -> bool:
    """Signing out ends the sockets too. Those opened with a token end with the room's own checks."""
    if presented_token(scope):
        return await find_person(scope) is not None
    return await database_sync_to_async(_session_holds)(scope["session"].session_key)


def _session_holds(session_key: str | None) -> bool:
    """Read anew: the session is there, its person may sign in, and the password is the one it was made with.

    Not `get_user`, which renews the key of a session made under a former secret: here no answer carries the new one.
    """
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user_model().objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
    if user is None:
        return False
    found = session.get(HASH_SESSION_KEY, "")
    known = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(found, one) for one in known)


def is_own_origin(scope: Any) -> bool:
    """Browsers always name the page's origin; without one there is no browser, and no cookie taken along by it."""
    origin = _header(scope, b"origin")
    if not origin:
        return True
    own = {f"{scheme}://{_header(scope, b'host')}" for scheme in ("http", "https")}
    return _normal(origin) in {_normal(known) for known in (*own, *settings.CSRF_TRUSTED_ORIGINS)}


def _normal(origin: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return ("", origin, None)
    return (parts.scheme, parts.hostname or "", port or {"http": 80, "https": 443}.get(parts.scheme))


def _header(scope: Any, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
