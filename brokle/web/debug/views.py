"""`/debug`: for whoever runs the installation; for everybody else it does not exist."""

import os
from datetime import UTC, datetime
from typing import Any

import redis
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from brokle.web import queries
from brokle.web.debug import engines, memory, plans, processor
from brokle.web.operators import operator_only
from brokle.web.tables import Column, Table

_SECONDS = (1, 5, 15)
_PAGES = {
    "debug-processor": gettext_noop("Processor"),
    "debug-memory": gettext_noop("Memory"),
    "debug-queries": gettext_noop("Slow statements"),
    "debug-redis": gettext_noop("Redis statistics"),
    "debug-clickhouse": gettext_noop("ClickHouse statistics"),
}

_SPENT = Table(
    gettext_noop("Busiest functions"),
    [
        Column("own", gettext_noop("Itself"), is_numeric=True),
        Column("total", gettext_noop("With what it calls"), is_numeric=True),
        Column("share", gettext_noop("Share")),
        Column("function", gettext_noop("Function")),
        Column("place", gettext_noop("Place")),
    ],
)
_PROCESSES = Table(
    gettext_noop("Processes"),
    [
        Column("name", gettext_noop("Process")),
        Column("pid", gettext_noop("Number"), is_numeric=True),
        Column("processes", gettext_noop("Processes"), is_numeric=True),
        Column("bytes", gettext_noop("Memory"), is_numeric=True),
    ],
)
_ALLOCATIONS = Table(
    gettext_noop("Largest allocations"),
    [
        Column("place", gettext_noop("Place")),
        Column("count", gettext_noop("Blocks"), is_numeric=True),
        Column("bytes", gettext_noop("Memory"), is_numeric=True),
    ],
)
_SLOW = Table(
    gettext_noop("Slow statements"),
    [
        Column("at", gettext_noop("Time")),
        Column("ms", gettext_noop("Duration"), is_numeric=True),
        Column("plan", gettext_noop("Plan")),
        Column("sql", gettext_noop("Statement")),
    ],
)
_MEASURES = Table(
    gettext_noop("Measures"),
    [Column("name", gettext_noop("Measure")), Column("value", gettext_noop("Value"), is_numeric=True)],
)
_KEYS = Table(
    gettext_noop("Largest keys of the sample"),
    [
        Column("name", gettext_noop("Key")),
        Column("kind", gettext_noop("Kind")),
        Column("bytes", gettext_noop("Memory"), is_numeric=True),
    ],
)
_PARTS = Table(
    gettext_noop("Tables"),
    [
        Column("name", gettext_noop("Table")),
        Column("parts", gettext_noop("Parts"), is_numeric=True),
        Column("rows", gettext_noop("Rows"), is_numeric=True),
        Column("bytes", gettext_noop("Disk"), is_numeric=True),
    ],
)


def _page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    tabs = [{"title": _(title), "href": reverse(page), "is_current": page == name} for page, title in _PAGES.items()]
    template = f"debug/{name.removeprefix('debug-')}.html"
    shared = {"tabs": tabs, "pid": os.getpid(), "breadcrumb": [{"title": _("Debug")}]}
    return render(request, template, {**shared, **context})


@operator_only
@require_http_methods(["GET", "HEAD", "POST"])
def show_processor(request: HttpRequest) -> HttpResponse:
    profile = None
    if request.method == "POST":
        asked = request.POST.get("seconds", "")
        profile = processor.sample(float(asked) if asked in {str(s) for s in _SECONDS} else _SECONDS[0])
    return _page(request, "debug-processor", {"profile": profile, "choices": _SECONDS, "table": _SPENT})


@operator_only
@require_GET
def show_memory(request: HttpRequest) -> HttpResponse:
    processes = memory.list_processes()
    context = {
        "processes": processes,
        "total": sum(process.bytes for process in processes),
        "is_recording": memory.is_recording(),
        "allocations": memory.list_allocations(),
        "processes_table": _PROCESSES,
        "allocations_table": _ALLOCATIONS,
    }
    return _page(request, "debug-memory", context)


@operator_only
@require_POST
def record_memory(request: HttpRequest) -> HttpResponse:
    if request.POST.get("recording") == "start":
        memory.start_recording()
    else:
        memory.stop_recording()
    return HttpResponseRedirect(reverse("debug-memory"))


@operator_only
@require_GET
def show_queries(request: HttpRequest) -> HttpResponse:
    try:
        found = queries.list_slow_queries()
    except redis.RedisError:
        return _page(request, "debug-queries", {"is_away": True})
    rows = [{"query": query, "at": datetime.fromtimestamp(query.at, UTC)} for query in found]
    return _page(request, "debug-queries", {"rows": rows, "table": _SLOW})


@operator_only
@require_POST
def forget_queries(request: HttpRequest) -> HttpResponse:
    queries.forget_slow_queries()
    return HttpResponseRedirect(reverse("debug-queries"))


@operator_only
@require_POST
def explain_query(request: HttpRequest, query_id: str) -> HttpResponse:
    query = queries.find_slow_query(query_id)
    if query is None:
        raise Http404
    try:
        plan, reason = plans.explain(query), ""
    except plans.UnableToExplain as error:
        plan, reason = "", str(error)
    return _page(request, "debug-queries", {"query": query, "plan": plan, "reason": reason})


@operator_only
@require_GET
def show_redis(request: HttpRequest) -> HttpResponse:
    try:
        found = engines.redis_statistics()
    except engines.UnableToAsk:
        return _page(request, "debug-redis", {"is_away": True})
    return _page(request, "debug-redis", {"found": found, "measures_table": _MEASURES, "keys_table": _KEYS})


@operator_only
@require_GET
def show_clickhouse(request: HttpRequest) -> HttpResponse:
    try:
        found = engines.clickhouse_statistics()
    except engines.UnableToAsk:
        return _page(request, "debug-clickhouse", {"is_away": True})
    return _page(request, "debug-clickhouse", {"found": found, "measures_table": _MEASURES, "parts_table": _PARTS})
