"""Every person of the installation, for its operator: find them, let them in again, keep them out."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST, require_safe

from apps.orgs.selectors import operator as selectors
from apps.orgs.views.operator import asked_text, room
from apps.orgs.views.pages import act
from apps.orgs.views.words import FACTORS, ROLES
from apps.users import facade as users
from brokle.ground.services import Actor
from brokle.web.operators import acting_operator, operator_only
from brokle.web.pagination import page_after
from brokle.web.tables import Column, Table

_PAGE = 50
_TAB = "operator-people"
_COLUMNS = [
    Column("name", gettext_noop("Name")),
    Column("email", gettext_noop("E-mail")),
    Column("state", gettext_noop("State")),
    Column("operator", gettext_noop("Operator")),
    Column("created", gettext_noop("Here since")),
]


@dataclass(frozen=True, slots=True)
class Act:
    """A button: what it does, what is said when it is done, and whether the address must be typed."""

    do: Callable[[HttpRequest, str, Actor], None]
    done: str
    is_confirmed: bool = False


def _lock(request: HttpRequest, user_id: str, actor: Actor) -> None:
    users.lock_person(user_id=user_id, reason=request.POST.get("reason", ""), actor=actor)


def _reset(request: HttpRequest, user_id: str, actor: Actor) -> None:
    users.send_password_reset(request, user_id=user_id, actor=actor)


def _simply(service: Callable[..., None]) -> Callable[[HttpRequest, str, Actor], None]:
    return lambda _request, user_id, actor: service(user_id=user_id, actor=actor)


_ACTS = {
    "lock": Act(_lock, gettext_noop("The account is locked, and every session has ended.")),
    "unlock": Act(_simply(users.unlock_person), gettext_noop("The account is unlocked.")),
    "end-sessions": Act(_simply(users.end_sessions), gettext_noop("Every session has ended.")),
    "remove-second-factors": Act(
        _simply(users.remove_second_factors),
        gettext_noop("The second factors are removed; the person gets a mail."),
        is_confirmed=True,
    ),
    "send-password-reset": Act(_reset, gettext_noop("The mail is on its way.")),
    "verify-address": Act(_simply(users.verify_address), gettext_noop("The address counts as verified.")),
    "make-operator": Act(_simply(users.make_operator), gettext_noop("This person is an operator now.")),
    "unmake-operator": Act(_simply(users.unmake_operator), gettext_noop("This person is no operator any more.")),
}


@operator_only
@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    text = asked_text(request)
    found = page_after(users.people_matching(users.people(), text), request.GET.get("cursor", ""), _PAGE)
    table = Table(gettext_noop("People"), _COLUMNS, next_cursor=found.next_cursor)
    return room(request, "orgs/operator/people.html", _TAB, {"rows": found.rows, "table": table, "q": text})


@operator_only
@require_safe
def person_detail(request: HttpRequest, person_id: str) -> HttpResponse:
    person = users.describe_person(user_id=person_id)
    context = {
        "person": person,
        "factors": [FACTORS.get(kind, kind) for kind in person.second_factors],
        "memberships": selectors.memberships_of_person(person_id),
        "tokens": selectors.count_tokens(person_id),
        "roles": ROLES,
        "is_self": person_id == str(request.user.pk),
    }
    return room(request, "orgs/operator/person.html", _TAB, context, title=person.name or person.email)


@operator_only
@require_POST
def act_on_person(request: HttpRequest, person_id: str, act_name: str) -> HttpResponse:
    asked = _ACTS.get(act_name)
    if asked is None:
        raise Http404
    person, back = users.describe_person(user_id=person_id), reverse("operator-person", args=[person_id])
    if asked.is_confirmed and request.POST.get("confirm", "").strip() != person.email:
        messages.error(request, _("The address did not match; nothing was done."))
        return HttpResponseRedirect(back)
    return act(request, back, lambda: asked.do(request, person_id, acting_operator(request)), _(asked.done))
