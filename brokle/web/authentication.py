"""Who calls the management API: a person by session, or a program by the same key, rules and limits as on the edge."""

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.authentication import BaseAuthentication, SessionAuthentication

from brokle.edge.dispatch import rate_headers
from brokle.edge.key_use import USED
from brokle.edge.principal import Principal, admit, decode_key, digest, is_presented, presented_key
from brokle.engines.state import state
from brokle.kernel.errors import Forbidden, NotFound, RateLimited, Unauthorized
from brokle.kernel.extensions import BearerPerson, api_principal, person_credentials
from brokle.web.rates import take

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_TOKEN = 8192
_REALM = 'Bearer realm="brokle"'


class KeyCaller:
    """An API key where Django expects a user."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.pk = self.id = principal.key_id


class ApiKeyAuthentication(BaseAuthentication):
    """The view's `key_scope` says what a key needs, `admin` unless told; None has nothing for keys."""

    def authenticate(self, request: Any) -> tuple[KeyCaller, Principal] | None:
        headers = _edge_headers(request.headers)
        if not is_presented(headers):
            return None
        scope = getattr(request.parser_context.get("view"), "key_scope", "admin")
        if scope is None:
            return _nothing_for_keys(headers)
        principal = admit(headers, scope, find_principal)
        if principal.whereabouts is not None:
            principal.whereabouts.check((request.META.get("REMOTE_ADDR", ""), 0), headers)
        request._request.rate_headers = check_rate(principal)  # noqa: SLF001 - the answer's finalizer reads it there
        note_use(principal.key_id)
        return KeyCaller(principal), principal

    def authenticate_header(self, request: Any) -> str:
        return _REALM


class PersonAuthentication(SessionAuthentication):
    """The console's session, with CSRF; a visitor is told 401, not 403."""

    def authenticate_header(self, request: Any) -> str:
        return _REALM


def _nothing_for_keys(headers: Mapping[bytes, bytes]) -> None:
    """Whatever the key may do elsewhere; what is no key at all is told 401 by who comes next."""
    if presented_key(headers):
        raise NotFound


def note_use(key_id: str) -> None:
    """As the edge does; without Redis it is not noted."""
    with contextlib.suppress(RedisError):
        state().hset(USED, key_id, int(time.time()))


def find_principal(key: bytes) -> Principal | None:
    """By hash in PostgreSQL, so that a key made a moment ago works at once."""
    compile_one = api_principal.choose()
    for pepper in settings.PEPPERS:
        raw = compile_one(digest(pepper, key))
        if raw is not None:
            return decode_key(raw)
    return None


def check_rate(principal: Principal) -> dict[str, str]:
    """Takes one of the key's requests a minute, from the same counter as the edge."""
    verdict = take(principal.rates) if principal.rates else None
    if verdict is None:
        return {}
    if not verdict.allowed:
        raise RateLimited(
            f"This key may send {principal.requests_per_minute} requests a minute",
            retry_after_s=verdict.retry_after_ms / 1000,
        )
    pairs = rate_headers(principal.requests_per_minute, verdict)
    return {name.decode(): value.decode() for name, value in pairs}


def bearer_token(header: str) -> str:
    """What stands behind `Bearer` in an Authorization header; nothing longer than a token can be."""
    kind, _, value = header.partition(" ")
    return value.strip() if kind.lower() == "bearer" and len(value) <= _LONGEST_TOKEN else ""


def find_bearer(token: str) -> BearerPerson | None:
    """The person behind a token of a kind that some room knows; None where no room claims it.

    One that is claimed and not good is refused, and never tried as anything else.
    """
    for known in person_credentials.collect():
        if known.claims(token):
            found = known.find(token)
            if found is None:
                raise Unauthorized("This token is not valid here; it may have expired or been revoked")
            return found
    return None


class BearerPersonAuthentication(BaseAuthentication):
    """A person by token: no cookie is involved, so neither is CSRF."""

    def authenticate(self, request: Any) -> tuple[Any, BearerPerson] | None:
        token = bearer_token(request.headers.get("authorization", ""))
        found = find_bearer(token) if token else None
        if found is None:
            return None
        if found.is_read_only and request.method not in _SAFE:
            raise Forbidden("This token may only read")
        return found.user, found

    def authenticate_header(self, request: Any) -> str:
        return _REALM


def _edge_headers(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.lower().encode(): value.encode("latin-1", "replace") for name, value in headers.items()}
