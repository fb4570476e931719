"""The request log of an environment, and everything that is known of one request."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.orgs import facade as orgs
from apps.orgs.contracts import EnvironmentRef
from apps.routing.contracts import RequestRow
from apps.routing.selectors import request_log, requests
from apps.routing.selectors.request_log import Attempt, Choices, RequestDetail
from apps.routing.selectors.requests import Narrowing
from apps.routing.views.pages import env_of, href_at
from apps.routing.views.words import ENDS, STRATEGIES, State, cause_of, state_of
from brokle.engines.analytics import UnableToQuery
from brokle.kernel.clock import utc_now
from brokle.web.formatting import duration_text
from brokle.web.navigation import Line
from brokle.web.overview import DEFAULT_RANGE, RANGES
from brokle.web.snippets import chat_command
from brokle.web.tables import Column, Sort, Table

_LONGEST = 200
_CAPTION = gettext_noop("Requests")
COLUMNS = [
    Column("time", gettext_noop("Time"), is_sortable=True),
    Column("model", gettext_noop("Model")),
    Column("route", gettext_noop("Route name")),
    Column("key", gettext_noop("Key")),
    Column("user", gettext_noop("User")),
    Column("tokens", gettext_noop("Tokens"), is_numeric=True, is_sortable=True),
    Column("cost", gettext_noop("Cost"), is_numeric=True, is_sortable=True),
    Column("latency", gettext_noop("Latency"), is_numeric=True, is_sortable=True),
    Column("status", gettext_noop("Status")),
]
_ATTEMPT_COLUMNS = [
    Column("number", gettext_noop("Attempt")),
    Column("target", gettext_noop("Model")),
    Column("time", gettext_noop("Time taken"), is_numeric=True),
    Column("result", gettext_noop("Result")),
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log as the page shows it."""

    row: RequestRow
    key: str
    state: State
    href: str

    @property
    def is_cached(self) -> bool:
        return self.row.cache in {"hit", "semantic"}

    @property
    def is_second_choice(self) -> bool:
        return self.row.status < 400 and self.row.attempts > 1


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter of the log: its field, its title, and pairs of value and title; names are nobody's to translate."""

    name: str
    title: str
    value: str
    options: list[tuple[str, str]]
    has_names: bool = True


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the time a request took; start and width are shares of the whole."""

    title: str
    milliseconds: float
    start: float
    width: float
    color: str


@dataclass(frozen=True, slots=True)
class Tried:
    attempt: Attempt
    state: State


@never_cache
@require_safe
@login_required
def request_list(request: HttpRequest, organization: str) -> HttpResponse:
    place = orgs.access_environment(request, organization_slug=organization, permission="requests.read")
    asked = request.GET.get("range", "")
    span = asked if asked in RANGES else DEFAULT_RANGE
    narrowing = _narrowing(request)
    sort = Sort.from_query(request.GET, COLUMNS, Sort("time"))
    context = {
        "env": env_of(place),
        "here": href_at(place, "requests"),
        "room": f"requests:{place.environment_id}",
        "is_narrowed": narrowing.is_any,
        "about": narrowing.about,
        "command": chat_command(request.build_absolute_uri("/"), "$BROKLE_API_KEY"),
        **_log(place, span, narrowing, sort, request.GET.get("cursor", "")),
    }
    return render(request, "routing/requests.html", context)


@never_cache
@require_safe
@login_required
def request_detail(request: HttpRequest, organization: str, request_id: str) -> HttpResponse:
    place = orgs.access_environment(request, organization_slug=organization, permission="requests.read")
    scope = {"organization_id": place.organization.id, "environment_id": place.environment_id}
    crumbs = [Line("requests", _("Requests"), href_at(place, "requests")), Line("request", _("Request"), "")]
    context: dict[str, Any] = {"breadcrumb": crumbs, "request_id": request_id}
    try:
        found = request_log.find_request(**scope, request_id=request_id)
        attempts = request_log.list_attempts(**scope, request=found) if found else []
    except UnableToQuery:
        return render(request, "routing/request.html", {**context, "is_away": True}, status=503)
    if found is None:
        raise Http404
    return render(request, "routing/request.html", {**context, **_facts(place, found, attempts)})


def _narrowing(request: HttpRequest) -> Narrowing:
    """What cannot be looked for is not: it would be refused by the engine."""

    def asked(name: str) -> str:
        value = request.GET.get(name, "").strip()[:_LONGEST]
        return value if value.isprintable() else ""

    names = ("model", "provider", "route", "key", "end", "about")
    return Narrowing(**{name: asked(name) for name in names})


def _log(place: EnvironmentRef, span: str, narrowing: Narrowing, sort: Sort, cursor: str) -> dict[str, Any]:
    scope = {"organization_id": place.organization.id, "environment_id": place.environment_id}
    since = utc_now() - RANGES[span][1]
    try:
        page = requests.list_requests(
            **scope,
            since=since,
            sort=sort.key,
            is_descending=sort.is_descending,
            cursor=cursor,
            narrowing=narrowing,
        )
        choices = request_log.list_choices(**scope, since=since)
    except UnableToQuery:
        nothing = Choices([], [], [], [])
        filters = _filters(span, narrowing, nothing, {})
        return {"table": Table(_CAPTION, COLUMNS), "entries": [], "filters": filters, "is_away": True}
    wanted = sorted({row.key_id for row in page.rows} | set(choices.keys))
    names = orgs.list_key_names(organization_id=place.organization.id, key_ids=wanted)
    return {
        "table": Table(_CAPTION, COLUMNS, sort, next_cursor=page.next_cursor),
        "entries": [_entry(place, row, names) for row in page.rows],
        "filters": _filters(span, narrowing, choices, names),
    }


def _entry(place: EnvironmentRef, row: RequestRow, names: dict[str, str]) -> Entry:
    return Entry(row, names.get(row.key_id, "—"), state_of(row.status), href_at(place, "request", row.id))


def _filters(span: str, narrowing: Narrowing, choices: Choices, names: dict[str, str]) -> list[Choice]:
    def offered(name: str, title: str, values: Iterable[tuple[str, str]]) -> Choice:
        value = str(getattr(narrowing, name))
        listed = list(values)
        if value and value not in dict(listed):
            listed.insert(0, (value, value))
        return Choice(name, title, value, [("", title), *listed], has_names=name != "end")

    def same(values: list[str]) -> list[tuple[str, str]]:
        return [(value, value) for value in values]

    spans = [(key, _(title)) for key, (title, _span) in RANGES.items()]
    return [
        Choice("range", _("Time"), span, spans, has_names=False),
        offered("end", _("Any status"), [(key, _(title)) for key, title in ENDS]),
        offered("model", _("Any model"), same(choices.models)),
        offered("provider", _("Any provider"), same(choices.providers)),
        offered("route", _("Any route"), same(choices.routes)),
        offered("key", _("Any key"), [(key, names.get(key, key)) for key in choices.keys]),
    ]


def _facts(place: EnvironmentRef, found: RequestDetail, attempts: list[Attempt]) -> dict[str, Any]:
    key = orgs.list_key_names(organization_id=place.organization.id, key_ids=[found.key_id]).get(found.key_id, "—")
    return {
        "one": found,
        "state": state_of(found.status),
        "model": f"{found.provider}/{found.model}" if found.provider else found.model or found.model_requested,
        "exact_cost": exact_cost(found.cost_nanos),
        "key": key,
        "same_user": href_at(place, "requests", about=found.user) if found.user else "",
        "same_session": href_at(place, "requests", about=found.session) if found.session else "",
        "stretches": stretches(found),
        "tokens": _buckets(found),
        "attempts": [Tried(one, _result(one)) for one in attempts],
        "attempts_table": Table(gettext_noop("Attempts"), _ATTEMPT_COLUMNS),
        "strategy": STRATEGIES.get(attempts[0].strategy, attempts[0].strategy) if attempts else "",
        "version": attempts[0].route_version if attempts else 0,
        "total": duration_text(found.latency_ms),
    }


def stretches(found: RequestDetail) -> list[Stretch]:
    """The whole time in parts that follow each other: ours, the wait for the first token, the rest."""
    whole = max(found.latency_ms, 0.001)
    ours = min(max(found.overhead_ms, 0.0), whole)
    first = min(max(found.ttft_ms, ours), whole) if found.is_stream else whole
    parts = (
        (_("Brokle itself"), 0.0, ours, "c2"),
        (_("Until the first token") if found.is_stream else _("The provider"), ours, first, "c1"),
        (_("Until the last token"), first, whole, "c3"),
    )
    return [
        Stretch(title, end - start, start / whole, (end - start) / whole, color)
        for title, start, end, color in parts
        if end > start
    ]


def exact_cost(nanos: int) -> str:
    """To the last digit that is kept; at least cents."""
    whole, _point, digits = f"{Decimal(nanos).scaleb(-9):f}".partition(".")
    return f"${whole}.{digits.rstrip('0').ljust(2, '0')}"


def _buckets(found: RequestDetail) -> list[tuple[str, int, float]]:
    """Title, tokens, and their share of all."""
    tokens = found.tokens
    parts = (
        (_("Input"), tokens.input),
        (_("Read from the provider's cache"), tokens.cache_read),
        (_("Written to the provider's cache"), tokens.cache_write),
        (_("Output"), tokens.output),
    )
    return [(title, count, count / tokens.total if tokens.total else 0.0) for title, count in parts]


def _result(attempt: Attempt) -> State:
    if not attempt.cause:
        return state_of(attempt.status)
    return State("idle" if attempt.cause == "cancelled" else "bad", cause_of(attempt.cause))
