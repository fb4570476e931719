"""Sessions of programs and apps: a short access token, and a refresh token that works once.

Redis knows of each session which refresh token comes next. One that comes twice was stolen or copied, and ends the
session for whoever holds it. Ended sessions are gone there, so their access tokens are refused at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from django.conf import settings
from redis.exceptions import RedisError

from apps.users.models import User
from apps.users.services.records import record
from brokle.engines.state import state
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import BrokleError, Unauthorized, Unavailable
from brokle.kernel.extensions import BearerPerson
from brokle.kernel.ids import new_id
from brokle.kernel.secrets import derive
from brokle.web.live.publish import recheck_sockets

ACCESS: Final = timedelta(minutes=15)
REFRESH: Final = timedelta(hours=24)
LONGEST: Final = timedelta(days=30)
CHALLENGE: Final = timedelta(minutes=5)
SKEW: Final = timedelta(seconds=60)
_ALGORITHM: Final = "HS256"

# Answers 1 and moves on, 0 where the session has ended, -1 after ending it because the token came before.
_ROTATE: Final = """
local expected = redis.call('HGET', KEYS[1], 'jti')
if not expected then return 0 end
if expected ~= ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[2], ARGV[4])
  return -1
end
redis.call('HSET', KEYS[1], 'jti', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""


class SessionEnded(Unauthorized):
    code, title = "session_ended", "This session has ended; sign in again"


class TokenReused(BrokleError):
    code, status, title = "refresh_token_reused", 401, "This refresh token was used before, so its session has ended"


@dataclass(frozen=True, slots=True)
class Pair:
    access_token: str
    refresh_token: str
    expires_in_s: int
    session_id: str


def begin(*, user_id: str, clock: Clock = utc_now) -> Pair:
    session_id, jti, now = new_id("ses"), new_id("jti"), clock()
    lifetime_s = int(REFRESH.total_seconds())
    with _redis() as store:
        pipe = store.pipeline()
        pipe.hset(_session(session_id), mapping={"user": user_id, "jti": jti, "began": int(now.timestamp())})
        pipe.expire(_session(session_id), lifetime_s)
        pipe.sadd(_sessions_of(user_id), session_id)
        pipe.expire(_sessions_of(user_id), lifetime_s)
        pipe.execute()
    return _pair(user_id, session_id, jti, now, int(now.timestamp()))


def refresh(token: str, *, clock: Clock = utc_now) -> Pair:
    claims, now = _read(token, "refresh", clock), clock()
    session_id, user_id, jti = claims["sid"], claims["sub"], new_id("jti")
    if now - datetime.fromtimestamp(claims["began"], now.tzinfo) > LONGEST:
        end(session_id=session_id, user_id=user_id)
        raise SessionEnded
    keys = [_session(session_id), _sessions_of(user_id)]
    with _redis() as store:
        outcome = store.eval(_ROTATE, 2, *keys, claims["jti"], jti, int(REFRESH.total_seconds()), session_id)
    if outcome == -1:
        record("refresh_token_reused", user_id=user_id, actor=SYSTEM, before={"session": session_id})
        recheck_sockets(user_id=user_id)
        raise TokenReused
    if outcome == 0 or not User.objects.filter(pk=user_id, is_active=True).exists():
        raise SessionEnded
    return _pair(user_id, session_id, jti, now, claims["began"])


def end(*, session_id: str, user_id: str) -> None:
    with _redis() as store:
        store.delete(_session(session_id))
        store.srem(_sessions_of(user_id), session_id)
    recheck_sockets(user_id=user_id)


def end_all(*, user_id: str) -> int:
    """Everywhere at once; gives how many ended."""
    return end_all_but(user_id=user_id, keep="")


def end_all_but(*, user_id: str, keep: str) -> int:
    with _redis() as store:
        ended = {found.decode() for found in store.smembers(_sessions_of(user_id))} - {keep}
        for session_id in ended:
            store.delete(_session(session_id))
            store.srem(_sessions_of(user_id), session_id)
    recheck_sockets(user_id=user_id)
    return len(ended)


def is_access_token(text: str) -> bool:
    return text.count(".") == 2


def find_bearer(text: str, *, clock: Clock = utc_now) -> BearerPerson | None:
    try:
        claims = _read(text, "access", clock)
    except Unauthorized:
        return None
    with _redis() as store:
        if not store.exists(_session(claims["sid"])):
            return None
    user = User.objects.filter(pk=claims["sub"], is_active=True).first()
    return BearerPerson(user, claims["sid"]) if user else None


def challenge(*, user_id: str, clock: Clock = utc_now) -> str:
    """What a person with a second factor gets for the first: proof of the password, good once and for minutes."""
    return _write({"sub": user_id, "typ": "challenge", "jti": new_id("jti")}, clock(), CHALLENGE)


def read_challenge(token: str, *, clock: Clock = utc_now) -> tuple[str, str]:
    claims = _read(token, "challenge", clock)
    with _redis() as store:
        if store.exists(_used(claims["jti"])):
            raise Unauthorized("This challenge was used already; sign in again")
    return claims["sub"], claims["jti"]


def use_challenge(jti: str) -> None:
    """Of two who answer it at once, one is served."""
    with _redis() as store:
        if not store.set(_used(jti), 1, ex=int((CHALLENGE + SKEW).total_seconds()), nx=True):
            raise Unauthorized("This challenge was used already; sign in again")


def _pair(user_id: str, session_id: str, jti: str, now: datetime, began: int) -> Pair:
    shared = {"sub": user_id, "sid": session_id}
    access = _write({**shared, "typ": "access"}, now, ACCESS)
    following = _write({**shared, "typ": "refresh", "jti": jti, "began": began}, now, REFRESH)
    return Pair(access, following, int(ACCESS.total_seconds()), session_id)


def _write(claims: dict[str, Any], now: datetime, lifetime: timedelta) -> str:
    times = {"iat": int(now.timestamp()), "exp": int((now + lifetime).timestamp())}
    return jwt.encode({**claims, **times, "iss": "brokle"}, _keys()[0], algorithm=_ALGORITHM)


def _read(token: str, kind: str, clock: Clock) -> dict[str, Any]:
    """Of our key, our kind and within its time, give or take a minute of anybody's clock."""
    options = {"require": ["sub", "typ", "iat", "exp"], "verify_exp": False, "verify_iat": False}
    for key in _keys():
        try:
            claims: dict[str, Any] = jwt.decode(token, key, algorithms=[_ALGORITHM], issuer="brokle", options=options)
        except (jwt.InvalidTokenError, ValueError):
            continue
        now = clock().timestamp()
        late, early = now > claims["exp"] + SKEW.total_seconds(), now < claims["iat"] - SKEW.total_seconds()
        if claims["typ"] != kind or late or early:
            break
        return claims
    raise Unauthorized("This token is not valid here, or its time is over")


def _keys() -> list[bytes]:
    return [derive(secret, "jwt") for secret in settings.ROOT_SECRETS]


def _session(session_id: str) -> str:
    return f"bk:auth:session:{session_id}"


def _sessions_of(user_id: str) -> str:
    return f"bk:auth:sessions:{user_id}"


def _used(jti: str) -> str:
    return f"bk:auth:used:{jti}"


@contextmanager
def _redis() -> Iterator[Any]:
    """Without Redis nobody can say which sessions have ended, so nobody is let in by token."""
    try:
        yield state()
    except RedisError as error:
        raise Unavailable("Sessions cannot be checked right now", retry_after_s=2) from error
