"""When a session was last used, from where and with what: kept at most once a minute."""

import hashlib
from collections.abc import Callable
from contextlib import suppress

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from brokle.kernel.clock import utc_now

_EVERY_S = 60
_AGENT_LONGEST = 200


def last_seen(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.get(SESSION_KEY):
            with suppress(RedisError, DatabaseError):
                _note(request)
        return get_response(request)

    return middleware


def _note(request: HttpRequest) -> None:
    from allauth.usersessions.models import UserSession

    key = request.session.session_key or ""
    mark = hashlib.sha256(key.encode()).hexdigest()[:32]
    if not cache.add(f"seen:{mark}", 1, _EVERY_S):
        return
    changes = {"last_seen_at": utc_now(), "user_agent": request.headers.get("user-agent", "")[:_AGENT_LONGEST]}
    address = request.META.get("REMOTE_ADDR")
    UserSession.objects.filter(session_key=key).update(**changes, **({"ip": address} if address else {}))
