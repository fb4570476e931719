"""What pages that people change things on share: act, say how it went, and come back."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from brokle.kernel.errors import BrokleError, Forbidden, NotFound


def act(request: HttpRequest, back: str, do: Callable[[], Any], done: str) -> HttpResponse:
    """A button was pressed: what the room refuses becomes a message, not another page."""
    try:
        do()
    except (Forbidden, NotFound):
        raise
    except BrokleError as error:
        if error.status >= 500:
            raise
        messages.error(request, error.detail or _("This did not work"))
    else:
        messages.success(request, done)
    return HttpResponseRedirect(back)


def submit(form: Any, do: Callable[[dict[str, Any]], Any]) -> Any:
    """A form was sent: what the room refuses is shown at its field. None where it did not work."""
    if not form.is_valid():
        return None
    try:
        return do(form.cleaned_data)
    except (Forbidden, NotFound):
        raise
    except BrokleError as error:
        if error.status >= 500:
            raise
        form.add_error(error.field if error.field in form.fields else None, error.detail or _("This did not work"))
        return None


def page(request: HttpRequest, template: str, context: dict[str, Any], *forms: Any) -> HttpResponse:
    has_errors = any(form is not None and form.errors for form in forms)
    return render(request, template, context, status=422 if has_errors else 200)
