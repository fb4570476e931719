"""`Idempotency-Key`: the effect of a POST and its stored answer commit together, so a key acts at most once.

An advisory lock held by the transaction says "in progress"; when the process dies PostgreSQL rolls the effect back and
frees the lock, and a retry runs as if nothing had been. Answers are sealed at rest, for they may hold a new API key.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from brokle.ground.models import IdempotencyKey
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import BadRequest, BrokleError
from brokle.kernel.sealing import Sealer, UnableToUnseal

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "idempotency-replayed"
_LONGEST: Final = 255
_LIFETIME: Final = timedelta(hours=24)
_KEPT_HEADERS: Final = ("content-type", "location", "etag")
_PATH_LONGEST: Final = 400


class KeyReused(BrokleError):
    code, status, title = "idempotency_key_reuse", 422, "This idempotency key was used for another request"


class InProgress(BrokleError):
    code, status, title = "idempotency_in_progress", 409, "A request with this idempotency key is still running"


class AnswerLost(BrokleError):
    code, status, title = "idempotency_answer_lost", 409, "The answer to this request can no longer be read"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    is_replay: bool = field(default=False)

    @property
    def is_final(self) -> bool:
        """What a retry might still turn into something better is not kept."""
        return self.status < 500 and self.status != 429


@dataclass(frozen=True, slots=True)
class Call:
    """One POST as the store knows it: whose it is, under which key, and what it asks for."""

    scope: str
    key: str
    method_path: str
    body_hash: str

    @classmethod
    def of(cls, *, scope: str, key: str, method: str, path: str, body: bytes) -> "Call":
        method_path = f"{method} {path}"
        if len(method_path) > _PATH_LONGEST:
            method_path = hashlib.sha256(method_path.encode()).hexdigest()
        return cls(scope, check_key(key), method_path, hashlib.sha256(body).hexdigest())

    @property
    def lock(self) -> int:
        digest = hashlib.sha256(f"{self.scope}\0{self.key}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    @property
    def place(self) -> str:
        return f"idempotency\0{self.scope}\0{self.key}"


class _NotKept(Exception):
    """Carries an answer out of the transaction that its effect must not outlive."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def check_key(key: str) -> str:
    if not key or len(key) > _LONGEST:
        raise BadRequest(f"{HEADER} holds 1 to {_LONGEST} characters")
    if not key.isascii() or not key.isprintable():
        raise BadRequest(f"{HEADER} holds printable ASCII characters only")
    return key


def run_once(call: Call, execute: Callable[[], Answer], *, clock: Clock = utc_now) -> Answer:
    """The stored answer of the first run, or this one's."""
    try:
        with transaction.atomic():
            return _run(call, execute, clock)
    except _NotKept as end:
        return end.answer


def _run(call: Call, execute: Callable[[], Answer], clock: Clock) -> Answer:
    if not _take(call.lock):
        raise InProgress("Wait for the first answer, then send the same request again", retry_after_s=1)
    stored = _find(call, clock)
    if stored is not None:
        return _replay(stored, call)
    answer = execute()
    if not answer.is_final:
        raise _NotKept(answer)
    _store(call, answer, clock)
    return answer


def _take(lock: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])


def _find(call: Call, clock: Clock) -> IdempotencyKey | None:
    stored = IdempotencyKey.objects.filter(scope=call.scope, key=call.key).first()
    if stored is not None and stored.expires_at <= clock():
        stored.delete()
        return None
    return stored


def _replay(stored: IdempotencyKey, call: Call) -> Answer:
    if (stored.method_path, stored.body_hash) != (call.method_path, call.body_hash):
        raise KeyReused(f"Send another {HEADER} with another request")
    try:
        body = _sealer().unseal(bytes(stored.body), place=call.place)
    except UnableToUnseal:
        raise AnswerLost(
            "It was done, but the secret its answer was kept under is gone; look at what there is"
        ) from None
    return Answer(stored.status or 200, stored.headers, body, is_replay=True)


def _store(call: Call, answer: Answer, clock: Clock) -> None:
    now = clock()
    IdempotencyKey.objects.create(
        scope=call.scope,
        key=call.key,
        method_path=call.method_path,
        body_hash=call.body_hash,
        status=answer.status,
        headers=_kept(answer.headers),
        body=_sealer().seal(answer.body, place=call.place),
        created_at=now,
        expires_at=now + _LIFETIME,
    )


def _kept(headers: dict[str, str]) -> dict[str, str]:
    found = {name.lower(): value for name, value in headers.items()}
    return {name: found[name] for name in _KEPT_HEADERS if name in found}


def _sealer() -> Sealer:
    return Sealer(settings.ROOT_SECRETS)
