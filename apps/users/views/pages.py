"""What all pages of accounts have in common."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from apps.users.services.engine import TOO_MANY
from apps.users.views.limits import too_many_attempts

View = Callable[..., Any]


class Page:
    """A form that was refused answers 422; one that was tried too often says until when."""

    request: HttpRequest

    def form_invalid(self, form: Any) -> HttpResponse:
        if is_tried_too_often(form):
            return too_many_attempts(self.request)
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        if response.status_code == 200:
            response.status_code = 422
        return response


def is_tried_too_often(form: Any) -> bool:
    codes = {error.code for found in form.errors.as_data().values() for error in found}
    return bool(codes & {TOO_MANY, "rate_limited"})


def whole(view: View) -> View:
    """One transaction: what changed, its audit entries and its mails come together or not at all."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **more: Any) -> Any:
        if request.method in {"GET", "HEAD"}:
            return view(request, *args, **more)
        with transaction.atomic():
            return view(request, *args, **more)

    return wrapped
