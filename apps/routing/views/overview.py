from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.orgs import facade as orgs
from apps.orgs.contracts import EnvironmentRef
from apps.routing.contracts import RequestRow, Totals
from apps.routing.selectors import requests as selectors
from apps.routing.views.pages import href_at
from apps.routing.views.words import state_of
from brokle.engines.analytics import UnableToQuery
from brokle.kernel.clock import utc_now
from brokle.web.formatting import compact_text, duration_text, money_text
from brokle.web.overview import COLUMNS, DEFAULT_RANGE, RANGES, Row, Tile, range_menu, requests_table
from brokle.web.snippets import chat_command
from brokle.web.tables import Sort

_BUCKETS = 40


@never_cache
@require_safe
@login_required
def overview(request: HttpRequest, organization: str) -> HttpResponse:
    environment = orgs.access_environment(request, organization_slug=organization, permission="requests.read")
    asked = request.GET.get("range", "")
    chosen = asked if asked in RANGES else DEFAULT_RANGE
    sort = Sort.from_query(request.GET, COLUMNS, Sort("time"))
    context = {
        **range_menu(chosen),
        "room": f"requests:{environment.environment_id}",
        "command": chat_command(request.build_absolute_uri("/"), "$BROKLE_API_KEY"),
        **_figures(environment, RANGES[chosen][1], sort, request.GET.get("cursor", "")),
    }
    return render(request, "overview.html", context)


def _figures(environment: EnvironmentRef, span: timedelta, sort: Sort, cursor: str) -> dict[str, object]:
    """The page stays useful when the analytics engine is away: it says so instead of failing."""
    until = utc_now()
    scope = {
        "organization_id": environment.organization.id,
        "environment_id": environment.environment_id,
    }
    try:
        page = selectors.list_requests(
            **scope, since=until - span, sort=sort.key, is_descending=sort.is_descending, cursor=cursor
        )
        now = selectors.get_totals(**scope, since=until - span, until=until)
        before = selectors.get_totals(**scope, since=until - 2 * span, until=until - span)
        slices = selectors.list_totals(**scope, since=until - span, until=until, buckets=_BUCKETS)
    except UnableToQuery:
        return {"table": requests_table(), "rows": [], "tiles": [], "is_away": True}
    names = orgs.list_key_names(
        organization_id=environment.organization.id, key_ids=sorted({row.key_id for row in page.rows})
    )
    return {
        "tiles": tiles(now, before, slices),
        "table": requests_table(sort, page.next_cursor),
        "rows": [_row(row, names.get(row.key_id, "—"), href_at(environment, "request", row.id)) for row in page.rows],
    }


def _row(row: RequestRow, key: str, href: str) -> Row:
    state = state_of(row.status)
    return Row(
        id=row.id,
        at=row.at,
        model=row.model,
        key=key,
        tokens=row.tokens,
        cost=row.cost,
        duration_ms=row.duration_ms,
        tone=state.tone,
        status=state.word,
        note=gettext_noop("cached") if row.cache in {"hit", "semantic"} else "",
        href=href,
    )


def tiles(now: Totals, before: Totals, slices: list[Totals]) -> list[Tile]:
    return [
        Tile(
            gettext_noop("Requests"),
            compact_text(now.requests),
            *change(now.requests, before.requests, more_is="flat"),
            [float(s.requests) for s in slices],
            "c1",
        ),
        Tile(
            gettext_noop("Latency, 95th percentile"),
            duration_text(now.latency_p95_ms),
            *change(now.latency_p95_ms, before.latency_p95_ms, more_is="poor"),
            [s.latency_p95_ms for s in slices],
            "c3",
        ),
        Tile(
            gettext_noop("First token, 95th percentile"),
            duration_text(now.ttft_p95_ms),
            *change(now.ttft_p95_ms, before.ttft_p95_ms, more_is="poor"),
            [s.ttft_p95_ms for s in slices],
            "c3",
        ),
        Tile(
            gettext_noop("Cost"),
            money_text(now.cost),
            *change(now.cost.micros, before.cost.micros, more_is="flat"),
            [s.cost.micros / 1e6 for s in slices],
            "c2",
        ),
        Tile(
            gettext_noop("Errors"),
            f"{now.error_share:.2%}",
            *_points(now, before),
            [s.error_share for s in slices],
            "c4",
        ),
    ]


def change(now: float, before: float, *, more_is: str) -> tuple[str, str]:
    """Against the span before: a percentage and its mood; empty where there is nothing to compare with."""
    if not before:
        return "", "flat"
    share = (now - before) / before
    if abs(share) < 0.005:
        return "0%", "flat"
    mood = "flat" if more_is == "flat" else ("poor" if share > 0 else "good")
    sign = "+" if share > 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(share):.1%}" if abs(share) < 10 else f"{sign}{abs(share):.0%}", mood


def _points(now: Totals, before: Totals) -> tuple[str, str]:
    if not before.requests:
        return "", "flat"
    points = (now.error_share - before.error_share) * 100
    if abs(points) < 0.005:
        return "0", "flat"
    return f"{'+' if points > 0 else chr(0x2212)}{abs(points):.2f}", "poor" if points > 0 else "good"
