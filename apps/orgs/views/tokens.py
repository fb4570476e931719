"""A person's own tokens, in their settings."""

from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.orgs.forms import TokenForm
from apps.orgs.models import PersonalToken
from apps.orgs.services.tokens import issue_token, revoke_token
from apps.orgs.views.pages import act, page, submit
from brokle.kernel.clock import utc_now
from brokle.web.actor import actor_of


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    form = TokenForm(request.POST or None, initial={"days": "90"})
    issued = None
    if request.method == "POST":
        issued = submit(
            form,
            lambda data: issue_token(
                user_id=str(request.user.pk),
                name=data["name"],
                actor=actor_of(request),
                is_read_only=data["is_read_only"],
                expires_at=utc_now() + timedelta(days=int(data["days"])) if data["days"] else None,
            ),
        )
        if issued is not None:
            form = TokenForm(initial={"days": "90"})
    own = PersonalToken.objects.filter(user_id=request.user.pk).order_by("-created_at")
    context = {"form": form, "tokens": own, "value": issued.value if issued else "", "now": utc_now()}
    return page(request, "settings/tokens.html", context, form)


@login_required
@require_POST
def revoke(request: HttpRequest, token_id: str) -> HttpResponse:
    token = get_object_or_404(PersonalToken, id=token_id, user_id=request.user.pk)
    return act(
        request,
        "/settings/tokens",
        lambda: revoke_token(token=token, actor=actor_of(request)),
        _("The token is revoked."),
    )
