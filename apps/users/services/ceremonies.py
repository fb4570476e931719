"""Passkeys for programs: what was asked is kept between two calls, as a page keeps it in its session."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY
from django.http import HttpRequest
from redis.exceptions import RedisError

from brokle.engines.state import state
from brokle.kernel.errors import Unavailable

LIFETIME: Final = timedelta(minutes=5)


def keep(request: HttpRequest, *, place: str) -> None:
    """Moves what allauth has just put into the session to `place`."""
    asked = request.session.pop(STATE_SESSION_KEY)
    with _redis() as store:
        store.set(_key(place), json.dumps(asked), ex=int(LIFETIME.total_seconds()))


@contextmanager
def resumed(request: HttpRequest, *, place: str) -> Iterator[None]:
    """Lends it to the session once, for allauth to judge the answer by; without it every answer is wrong."""
    with _redis() as store:
        asked = store.getdel(_key(place))
    if asked:
        request.session[STATE_SESSION_KEY] = json.loads(asked)
    try:
        yield
    finally:
        request.session.pop(STATE_SESSION_KEY, None)


def as_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Without the types of the library that made them."""
    found: dict[str, Any] = json.loads(json.dumps(options, default=dict))
    return found


def _key(place: str) -> str:
    return f"bk:auth:passkey:{place}"


@contextmanager
def _redis() -> Iterator[Any]:
    try:
        yield state()
    except RedisError as error:
        raise Unavailable("Passkeys cannot be checked right now", retry_after_s=2) from error
