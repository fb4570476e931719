"""The operator is whoever runs the installation. For everybody else the operator's pages and calls do not exist."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from rest_framework.permissions import BasePermission

from brokle.edge.principal import Principal
from brokle.ground.services import Actor
from brokle.kernel.errors import NotFound
from brokle.web.actor import actor_of

View = Callable[..., HttpResponse]


def is_operator(user: Any) -> bool:
    return bool(getattr(user, "is_active", False) and getattr(user, "is_staff", False))


def operator_only(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_operator(request.user):
            raise Http404
        return view(request, *args, **kwargs)

    return never_cache(guarded)


class OperatorOnly(BasePermission):
    """For endpoints; they set `key_scope` to None too, for no API key stands for the operator."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        if isinstance(request.auth, Principal) or not is_operator(request.user):
            raise NotFound
        return True


def acting_operator(request: Any) -> Actor:
    """So that an organization's log tells the operator's hand from a member's."""
    return replace(actor_of(request), kind="operator")
