"""A person's own settings: profile, address, sessions, deletion."""

from typing import Any

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.core import ratelimit
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.users import selectors
from apps.users.forms import ChangeAddressForm, DeleteForm, ProfileForm
from apps.users.services import accounts, sessions
from apps.users.views.limits import too_many_attempts
from apps.users.views.pages import is_tried_too_often
from brokle.kernel.errors import Conflict
from brokle.web import preferences
from brokle.web.actor import actor_of
from brokle.web.formatting import sentence
from brokle.web.links import absolute_url

_PAGE = require_http_methods(["GET", "HEAD", "POST"])


def _answer(request: HttpRequest, template: str, form: Any, **context: Any) -> HttpResponse:
    return render(request, template, {"form": form, **context}, status=422 if form.errors else 200)


@never_cache
@_PAGE
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    fields = ("name", "language", "theme", "time_zone")
    form = ProfileForm(request.POST or None, initial={field: getattr(user, field) for field in fields})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        accounts.change_profile(user=user, actor=actor_of(request), **data)
        with translation.override(data["language"]):
            messages.success(request, _("Saved."))
        response = HttpResponseRedirect(reverse("account"))
        preferences.remember(response, language=data["language"], theme=data["theme"])
        return response
    return _answer(request, "settings/profile.html", form, time_zones=selectors.time_zones())


@never_cache
@_PAGE
@login_required
def address(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = ChangeAddressForm(request.POST or None, current=user.email)
    if request.method == "POST":
        refused = ratelimit.consume_or_429(request, action="manage_email")
        if refused:
            return refused
        if form.is_valid():
            raise_if_reauthentication_required(request, app="allauth.account")
            new = form.cleaned_data["email"]
            accounts.ask_to_change_address(
                user=user,
                new=new,
                confirm_url=lambda token: absolute_url(reverse("account_email_confirm", args=[token]), request),
                reset_url=absolute_url(reverse("account_reset_password"), request),
            )
            text = _("We have sent a link to %(address)s. Your address changes when you follow it.")
            messages.info(request, sentence(text, address=new))
            return HttpResponseRedirect(reverse("account_email"))
    is_verified = selectors.is_address_verified(user=user)
    return _answer(request, "settings/email.html", form, is_verified=is_verified)


@require_POST
@login_required
def send_verification(request: HttpRequest) -> HttpResponse:
    """Once more, for an address that nobody has confirmed; allauth spaces the mails."""
    from allauth.account.internal.flows.email_verification import send_verification_email_for_user

    user: Any = request.user
    if not selectors.is_address_verified(user=user):
        send_verification_email_for_user(request, user)
    messages.info(request, sentence(_("We have sent a link to %(address)s."), address=user.email))
    return HttpResponseRedirect(reverse("account_email"))


@never_cache
@_PAGE
def confirm_address(request: HttpRequest, token: str) -> HttpResponse:
    """The link itself is the proof: it may be followed on a device where nobody is signed in."""
    change = accounts.AddressChange.find(token)
    problem = "" if change else _("This link is too old or was not made here.")
    if change and request.method == "POST":
        try:
            accounts.change_address(change=change, actor=actor_of(request))
        except Conflict:
            problem = _("This link was used already, or the address has been taken since.")
        else:
            messages.success(request, _("Your e-mail address is changed."))
            return HttpResponseRedirect(reverse("account_email"))
    context = {"change": change, "problem": problem}
    return render(request, "settings/email-confirm.html", context, status=410 if problem else 200)


@never_cache
@require_safe
@login_required
def list_sessions(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    lines = selectors.list_sessions(user=user, session_key=request.session.session_key)
    return render(request, "settings/sessions.html", {"sessions": lines})


@require_POST
@login_required
def revoke_session(request: HttpRequest, session_id: int) -> HttpResponse:
    user: Any = request.user
    try:
        session = selectors.get_session(user=user, session_id=session_id)
    except UserSession.DoesNotExist:
        raise Http404 from None
    is_this = session.session_key == request.session.session_key
    sessions.end_session(session=session, actor=actor_of(request))
    if is_this:
        logout(request)
        return HttpResponseRedirect(reverse("account_login"))
    messages.success(request, _("The session has ended."))
    return HttpResponseRedirect(reverse("usersessions_list"))


@require_POST
@login_required
def revoke_other_sessions(request: HttpRequest) -> HttpResponse:
    keep = request.session.session_key
    sessions.end_other_sessions(user_id=str(request.user.pk), keep=keep, actor=actor_of(request))
    messages.success(request, _("Every other session has ended."))
    return HttpResponseRedirect(reverse("usersessions_list"))


@never_cache
@sensitive_post_parameters("password")
@_PAGE
@login_required
def delete(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    obstacle = accounts.find_obstacle_to_deletion(user_id=str(user.pk))
    form = DeleteForm(request.POST or None, user=user)
    if request.method == "POST" and obstacle is None and form.is_valid():
        if not user.has_usable_password():
            raise_if_reauthentication_required(request, app="allauth.account")
        try:
            accounts.delete_account(user=user, actor=actor_of(request))
        except Conflict as error:
            obstacle = error.detail
        else:
            logout(request)
            messages.success(request, _("Your account is deleted."))
            return HttpResponseRedirect(reverse("account_login"))
    if is_tried_too_often(form):
        return too_many_attempts(request)
    status = 409 if obstacle and request.method == "POST" else 422 if form.errors else 200
    return render(request, "settings/delete.html", {"form": form, "obstacle": obstacle}, status=status)
