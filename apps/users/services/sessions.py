"""Ends sessions: at once for pages, within a second for open sockets."""

from importlib import import_module
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction

from apps.users.services import api_sessions
from apps.users.services.records import record
from brokle.ground.services import Actor
from brokle.web.live.publish import recheck_sockets


@transaction.atomic
def end_session(*, session: UserSession, actor: Actor) -> None:
    user_id = str(session.user_id)
    _end(session)
    record("session_revoked", user_id=user_id, actor=actor, before=_facts(session))
    recheck_sockets(user_id=user_id)


@transaction.atomic
def end_other_sessions(*, user_id: str, keep: str | None, actor: Actor, keep_api: str = "") -> int:
    """All of a person's sessions, of browsers and programs, but those named; gives how many of browsers ended."""
    transaction.on_commit(lambda: api_sessions.end_all_but(user_id=user_id, keep=keep_api))
    ended = list(UserSession.objects.filter(user_id=user_id).exclude(session_key=keep or ""))
    for session in ended:
        _end(session)
        record("session_revoked", user_id=user_id, actor=actor, before=_facts(session))
    if ended:
        recheck_sockets(user_id=user_id)
    return len(ended)


def _end(session: UserSession) -> None:
    key = session.session_key
    session.end()
    # A request in between may have put what it read into the cache again.
    transaction.on_commit(lambda: import_module(settings.SESSION_ENGINE).SessionStore().delete(key))


def _facts(session: UserSession) -> dict[str, Any]:
    return {"ip": session.ip, "user_agent": session.user_agent, "since": session.created_at.isoformat()}
