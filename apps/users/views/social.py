"""Sign-in with GitHub and Google; both answer 404 until the operator has set them up."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.socialaccount.internal.flows.connect import disconnect as forget
from allauth.socialaccount.internal.flows.connect import validate_disconnect
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.github import views as github
from allauth.socialaccount.providers.google import views as google
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.users.services.social import is_configured
from apps.users.views.pages import whole

View = Callable[..., Any]


def _start(provider: str, view: View) -> View:
    """Asked for by our own pages only: no other site may sign somebody in unseen."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> Any:
        if not is_configured(provider):
            raise Http404
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return HttpResponseRedirect(reverse("account_login"))
        if request.GET.get("process") == "connect":
            if not request.user.is_authenticated:
                return HttpResponseRedirect(reverse("account_login"))
            raise_if_reauthentication_required(request, app="allauth.socialaccount")
        return view(request)

    return wrapped


def _return(provider: str, view: View) -> View:
    @wraps(view)
    def wrapped(request: HttpRequest) -> Any:
        if not is_configured(provider):
            raise Http404
        try:
            return whole(view)(request)
        except IntegrityError:  # the same person came twice at the same moment; one of them is in
            return HttpResponseRedirect(reverse("account_login"))

    return wrapped


@require_POST
@login_required
def disconnect(request: HttpRequest, account_id: int) -> HttpResponse:
    account = get_object_or_404(SocialAccount, pk=account_id, user=request.user)
    try:
        validate_disconnect(request, account)
    except ValidationError:
        messages.error(request, _("Set a password first: this is your only way in."))
    else:
        whole(forget)(request, account)
    return HttpResponseRedirect(reverse("mfa_index"))


def elsewhere(request: HttpRequest) -> HttpResponse:
    """allauth's own pages, whose place is taken by notices on ours."""
    return HttpResponseRedirect(reverse("mfa_index" if request.user.is_authenticated else "account_login"))


github_start = _start("github", github.oauth2_login)
github_return = _return("github", github.oauth2_callback)
google_start = _start("google", google.oauth2_login)
google_return = _return("google", google.oauth2_callback)
