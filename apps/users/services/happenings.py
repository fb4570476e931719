"""Hears what allauth has done, in the transaction in which it did it, and writes it down."""

from typing import Any

from allauth.account import signals as account
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as social
from django.db.models.signals import post_delete, post_save

from apps.users.services import api_sessions
from apps.users.services.accounts import take_by_mailbox
from apps.users.services.records import person, record
from brokle.ground.services import SYSTEM, Actor
from brokle.web.actor import actor_of
from brokle.web.live.publish import recheck_sockets


def listen() -> None:
    """Once, when the app is ready."""
    heard = {
        account.user_signed_up: _signed_up,
        account.password_changed: _password_changed,
        account.password_set: _password_changed,
        account.password_reset: _password_reset,
        social.social_account_added: _linked,
        social.social_account_removed: _unlinked,
    }
    for signal, receiver in heard.items():
        signal.connect(receiver, dispatch_uid=receiver.__name__)
    # allauth tells of these only after the commit: too late for an entry that comes with the change or not at all.
    post_save.connect(_method_saved, sender=Authenticator, dispatch_uid="method_saved")
    post_delete.connect(_method_deleted, sender=Authenticator, dispatch_uid="method_deleted")


def _signed_up(request: Any, user: Any, sociallogin: Any = None, **more: Any) -> None:
    method = sociallogin.account.provider if sociallogin is not None else "password"
    record("signed_up", user_id=str(user.pk), actor=person(request, str(user.pk)), after={"method": method})


def _password_changed(request: Any, user: Any, **more: Any) -> None:
    record("password_changed", user_id=str(user.pk), actor=actor_of(request), after={"by": "password"})
    api_sessions.end_all(user_id=str(user.pk))
    recheck_sockets(user_id=str(user.pk))


def _password_reset(request: Any, user: Any, **more: Any) -> None:
    take_by_mailbox(user=user)
    record("password_changed", user_id=str(user.pk), actor=person(request, str(user.pk)), after={"by": "mail"})
    api_sessions.end_all(user_id=str(user.pk))
    recheck_sockets(user_id=str(user.pk))


def _method_saved(instance: Authenticator, created: bool, **more: Any) -> None:
    if created:
        after = {"type": str(instance.type)}
        record("mfa_added", user_id=str(instance.user_id), actor=_whoever(), after=after)


def _method_deleted(instance: Authenticator, **more: Any) -> None:
    record("mfa_removed", user_id=str(instance.user_id), actor=_whoever(), before={"type": str(instance.type)})


def _whoever() -> Actor:
    request = getattr(context, "request", None)
    return actor_of(request) if request is not None else SYSTEM


def _linked(request: Any, sociallogin: Any, **more: Any) -> None:
    user_id = str(sociallogin.user.pk)
    after = {"provider": sociallogin.account.provider}
    record("login_linked", user_id=user_id, actor=person(request, user_id), after=after)


def _unlinked(request: Any, socialaccount: Any, **more: Any) -> None:
    before = {"provider": socialaccount.provider}
    record("login_unlinked", user_id=str(socialaccount.user_id), actor=actor_of(request), before=before)
