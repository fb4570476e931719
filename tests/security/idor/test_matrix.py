"""Every route by everybody: who is not served learns nothing and changes nothing."""

import os
import re
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from tests.security.idor.report import ANSWERS, PAGE, rows_in
from tests.security.idor.rows import ROWS, Cell, Row
from tests.security.idor.world import Caller, World, make_world

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

OUTSIDE = frozenset(
    {"anonymous", "outsider", "outsider_mixed", "outsider_key", "outsider_key_mixed", "revoked_key", "expired_key"}
)
_NAMED = re.compile(r"\(\?P<(\w+)>[^)]*\)")
_TYPED = re.compile(r"<\w+:(\w+)>")
REFUSED = (302, 401, 403, 404)


# Parts of addresses that are secrets in themselves; nobody else has them.
_NOTHING = dict.fromkeys(("query_id", "key", "uidb36", "token"), "x")


def routes() -> dict[str, str]:
    found: dict[str, str] = {}
    _walk(get_resolver().url_patterns, "", found)
    return found


def _walk(patterns: list[Any], prefix: str, found: dict[str, str]) -> None:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            _walk(pattern.url_patterns, route, found)
        elif isinstance(pattern, URLPattern):
            found[pattern.name or f"/{route}"] = f"/{route}"


ROUTES = routes()


def address(world: World, name: str, row: Row, caller: Caller) -> str:
    path = ROUTES[name]
    path = _NAMED.sub(r"{\1}", path.replace("^", "").removesuffix("$"))
    path = _TYPED.sub(r"{\1}", path).format(**{**_NOTHING, **world.params, **(caller.own or {})})
    query = world.fill(row.query, {})
    return f"{path}?{query}" if query else path


@pytest.fixture
def world():
    return make_world()


@pytest.fixture(scope="module", autouse=True)
def report():
    """`make idor-report` keeps what was answered."""
    yield
    if os.environ.get("BROKLE_KEEP_TENANCY"):
        ANSWERS.keep()


def test_every_route_has_its_row():
    assert sorted(set(ROUTES) - set(ROWS)) == []
    assert sorted(set(ROWS) - set(ROUTES)) == []


def test_the_page_of_tenancy_tells_of_every_route_and_method():
    """Write it anew with `make idor-report`."""
    assert sorted(rows_in(PAGE.read_text())) == sorted(
        f"{method} {ROUTES[name]}" for name, row in ROWS.items() for method in row.cells
    )


def test_every_method_of_an_endpoint_has_its_cell():
    missing = []
    for pattern_name, actions in _actions().items():
        wanted = {method.upper() for method in actions} - {"HEAD"}
        if ROWS[pattern_name].kind in {"tenant", "operator"}:
            missing += [f"{pattern_name} {method}" for method in wanted - set(ROWS[pattern_name].cells)]
    assert missing == []


def _actions() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}

    def walk(patterns: list[Any]) -> None:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns)
            elif getattr(pattern.callback, "actions", None):
                found[pattern.name] = pattern.callback.actions

    walk(get_resolver().url_patterns)
    return found


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row.kind == "tenant"))
def test_who_may_is_served_and_nobody_else(world, name):
    row, faults, before = ROWS[name], [], world.state()
    for method, cell in row.cells.items():
        for who, caller in _asked(world, name):
            fault = _try(world, name, row, before, (method, cell), (who, caller))
            if fault:
                faults.append(f"{method} {who}: {fault}")
    ANSWERS.leaks += len(faults)
    assert faults == []


def _asked(world: World, name: str) -> list[tuple[str, Caller]]:
    """One's own organization in the address is an attack only where something foreign stands beside it."""
    is_mixable = ROUTES[name].count("<") > 1 and "<id:organization_id>" in ROUTES[name]
    return [(who, caller) for who, caller in world.callers.items() if is_mixable or caller.own is None]


def shown(world: World, answer: Any, path: str) -> list[str]:
    """What the answer tells of the organization, beyond what the caller wrote into the address."""
    text = content_of(answer).decode(errors="replace")
    return [marker for marker in world.markers if marker in text and marker not in path]


def content_of(answer: Any) -> bytes:
    """Also of an export, which is read while it is made."""
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def _try(world: World, name: str, row: Row, before: Any, called: tuple[str, Cell], by: tuple[str, Caller]) -> str:
    (method, cell), (who, caller) = called, by
    path = address(world, name, row, caller)
    with transaction.atomic():
        answer = caller.call(method, path, world.fill(cell.body, caller.own or {}), world.fill(cell.form, {}))
        leaked = shown(world, answer, path)
        after = world.state()
        transaction.set_rollback(True)
    ANSWERS.add(name, method, who, answer.status_code)
    if who in cell.allowed:
        return _fault_of_served(cell, answer)
    if answer.status_code not in _refusals(name, who):
        return f"should be refused, was {answer.status_code}"
    if before != after:
        return "changed something"
    return f"was shown {leaked}" if leaked and who in OUTSIDE | {"operator"} else ""


def _fault_of_served(cell: Cell, answer: Any) -> str:
    if answer.status_code not in cell.served:
        return f"should be served, was {answer.status_code}"
    control = answer.headers.get("cache-control", "")
    is_kept = answer.status_code == 200 and not ("no-store" in control or "private" in control)
    return f"may be kept by a cache on the way: {control!r}" if is_kept else ""


def _refusals(name: str, who: str) -> tuple[int, ...]:
    """Strangers are told 404, never 403: that something exists is a secret too."""
    is_api = name.startswith("api-")
    if who == "outsider_key_mixed":
        return (403, 404)
    if who in {"anonymous", "revoked_key", "expired_key"}:
        return (401,) if is_api else (302,)
    if who == "operator":
        return (404,)
    if who in OUTSIDE:
        return (404,) if is_api or who == "outsider" else (302,)
    return REFUSED


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row.kind == "operator"))
def test_for_all_but_the_operator_it_does_not_exist(world, name):
    row, faults, before = ROWS[name], [], world.state()
    for method, cell in row.cells.items():
        for who, caller in world.callers.items():
            with transaction.atomic():
                body, form = world.fill(cell.body, {}), world.fill(cell.form, {})
                answer = caller.call(method, address(world, name, row, caller), body, form)
                after = world.state()
                transaction.set_rollback(True)
            ANSWERS.add(name, method, who, answer.status_code)
            if who in cell.allowed:
                if answer.status_code not in cell.served:
                    faults.append(f"{method} {who}: should be served, was {answer.status_code}")
                continue
            hidden = 401 if who == "anonymous" and name.startswith("api-") else 404
            if answer.status_code != hidden or before != after:
                faults.append(f"{method} {who}: {answer.status_code}, changed: {before != after}")
    ANSWERS.leaks += len(faults)
    assert faults == []


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row.kind != "tenant"))
def test_what_is_not_a_tenants_shows_none(world, name):
    row, faults, before = ROWS[name], [], world.state()
    for method in row.cells:
        for who in sorted(OUTSIDE):
            caller = world.callers[who]
            path = address(world, name, row, caller)
            with transaction.atomic():
                answer = caller.call(method, path, None)
                leaked = shown(world, answer, path)
                after = world.state()
                transaction.set_rollback(True)
            ANSWERS.add(name, method, who, answer.status_code)
            if leaked or before != after or answer.status_code >= 500:
                faults.append(f"{method} {who}: {answer.status_code} {leaked}")
            if row.kind == "operator" and answer.status_code not in (302, 401, 404):
                faults.append(f"{method} {who}: an operator's page answered {answer.status_code}")
    ANSWERS.leaks += len(faults)
    assert faults == []
