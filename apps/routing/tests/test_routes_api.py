import json

import pytest

from apps.orgs.testing import call, make_household
from apps.routing.edge.book import decode_book
from apps.routing.models import Owner, Route, RouteVersion
from apps.routing.selectors.routes import difference
from apps.routing.snapshot import compile_book
from brokle.ground.models import AuditEntry

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
PATH = "/api/v1/routes"
TARGETS = [
    {"model": "a/big", "weight": 3, "when": {"tag.tier": ["gold"], "segment": "vip", "input_tokens": {"min": 1000}}},
    {"model": "b/small", "timeout_ms": 1500},
]
NEW = {
    "name": "fast",
    "targets": TARGETS,
    "strategy": "latency",
    "retries": 2,
    "cache": {"mode": "semantic", "threshold": 0.8},
}


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def ask(noor, client):
    return lambda method, path, body=None: call(client, method, path, body, **noor.bearer)


def test_a_route_is_made_of_targets_conditions_and_a_cache(ask, noor):
    made = ask("POST", PATH, NEW)
    [record] = decode_book(compile_book(noor.made.project.id)).routes

    assert made.status_code == 201, made.content
    assert (made.json()["version"], made.json()["definition"]["targets"][0]) == (1, TARGETS[0])
    assert (record.name, record.strategy, record.retries) == ("fast", "latency", 2)
    assert json.loads(record.targets[0].when) == TARGETS[0]["when"]
    assert [target.timeout_ms for target in record.targets] == [0, 1500]
    assert (record.targets[1].when, json.loads(record.cache)) == (
        b"",
        {"mode": "semantic", "ttl": 3600, "threshold": 0.8, "namespace": None},
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": []}, ""),
        ({"targets": [{"model": "a", "when": {"colour": "red"}}]}, "cannot ask for `colour`"),
        ({"targets": [{"model": "a", "when": {"input_tokens": "5"}}]}, "takes a number, or {min: …, max: …}"),
        ({"targets": [{"model": "a", "when": {"stream": "yes"}}]}, "takes true or false"),
        ({"targets": [{"model": "a", "wait": 1}]}, "unknown field `wait`"),
        ({"targets": [{"model": "a", "timeout_ms": 0}]}, ""),
        ({"targets": [{"model": "a", "timeout_ms": "soon"}]}, ""),
        (
            {"timeout_ms": 2000, "targets": [{"model": "a", "timeout_ms": 2001}]},
            "the `timeout_ms` of `a`, 2001, is longer than the route's, 2000",
        ),
        ({"strategy": "weighted", "targets": [{"model": "a", "weight": 0}]}, "needs a weight above 0"),
        ({"cache": {"mode": "exact", "threshold": 0.5}}, "belongs to the cache mode `semantic`"),
        ({"strategy": "fastest"}, ""),
        ({"retries": 11}, ""),
    ],
)
def test_what_makes_no_sense_is_refused(ask, noor, change, words):
    answer = ask("POST", PATH, {**NEW, **change})

    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert Route.objects.of(noor.id).count() == 0


def test_a_change_is_the_next_version_and_the_way_back_another_one(ask, noor):
    made = ask("POST", PATH, NEW).json()
    path = f"{PATH}/{made['id']}"
    changed = ask("PATCH", path, {"retries": 5}).json()
    same = ask("PATCH", path, {"retries": 5}).json()
    back = ask("POST", f"{path}/rollback", {"version": 1}).json()
    versions = ask("GET", f"{path}/versions").json()["data"]

    assert (changed["version"], same["version"], back["version"]) == (2, 2, 3)
    assert changed["definition"]["targets"] == made["definition"]["targets"]
    assert back["definition"] == made["definition"]
    assert [row["number"] for row in versions] == [3, 2, 1]
    assert versions[1]["created_by"] == noor.key.key_id
    actions = AuditEntry.objects.filter(target_id=made["id"]).order_by("sequence").values_list("action", flat=True)
    assert list(actions) == ["route.created", "route.changed", "route.rolled_back"]


def test_a_version_says_where_it_differs(ask):
    made = ask("POST", PATH, NEW).json()
    path = f"{PATH}/{made['id']}"
    ask("PATCH", path, {"targets": [TARGETS[0], {"model": "c/other", "timeout_ms": 1500}], "timeout_ms": 5000})
    second = ask("GET", f"{path}/versions/2").json()
    first = ask("GET", f"{path}/versions/1?against=2").json()

    assert second["against"] == 1
    assert second["changes"] == [
        {"path": "targets[1].model", "before": "b/small", "after": "c/other"},
        {"path": "timeout_ms", "before": 600_000, "after": 5000},
    ]
    assert first["changes"][0] == {"path": "targets[1].model", "before": "c/other", "after": "b/small"}
    assert ask("GET", f"{path}/versions/9").status_code == 404
    assert ask("GET", f"{path}/versions/1?against=x").status_code == 400


def test_there_is_no_way_back_to_what_never_was(ask, noor):
    made = ask("POST", PATH, NEW).json()
    answer = ask("POST", f"{PATH}/{made['id']}/rollback", {"version": 7})

    assert (answer.status_code, answer.json()["field"]) == (409, "version")
    assert RouteVersion.objects.of(noor.id).count() == 1


def test_a_name_is_taken_once_and_may_change(ask):
    made = ask("POST", PATH, NEW).json()
    other = ask("POST", PATH, {**NEW, "name": "other"}).json()

    assert ask("POST", PATH, NEW).status_code == 409
    assert ask("PATCH", f"{PATH}/{other['id']}", {"name": "fast"}).status_code == 409
    assert ask("PATCH", f"{PATH}/{made['id']}", {"name": "quick"}).json()["name"] == "quick"
    assert ask("PATCH", f"{PATH}/{made['id']}", {"name": "quick"}).json()["version"] == 1


def test_what_the_file_owns_is_changed_there(ask, noor):
    made = ask("POST", PATH, NEW).json()
    Route.objects.of(noor.id).update(owner=Owner.FILE)

    assert ask("PATCH", f"{PATH}/{made['id']}", {"retries": 1}).status_code == 409
    assert ask("POST", f"{PATH}/{made['id']}/rollback", {"version": 1}).status_code == 409
    assert ask("DELETE", f"{PATH}/{made['id']}").status_code == 409
    assert Route.objects.of(noor.id).get().version == 1


def test_a_removed_route_is_gone(ask, noor):
    made = ask("POST", PATH, NEW).json()

    assert ask("DELETE", f"{PATH}/{made['id']}").status_code == 204
    assert ask("GET", f"{PATH}/{made['id']}").status_code == 404
    assert compile_book(noor.made.project.id) is None


def test_lists_are_filtered_and_answer_in_a_bounded_number_of_queries(ask, django_assert_max_num_queries):
    for number in range(5):
        ask("POST", PATH, {**NEW, "name": f"r{number}"})

    with django_assert_max_num_queries(12):
        rows = ask("GET", PATH).json()["data"]
    assert [row["name"] for row in rows] == ["r4", "r3", "r2", "r1", "r0"]
    assert [row["name"] for row in ask("GET", f"{PATH}?name=r2").json()["data"]] == ["r2"]


def test_a_difference_names_leaves():
    assert difference({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3, 4]}) == [
        {"path": "b[1]", "before": 2, "after": 3},
        {"path": "b[2]", "before": None, "after": 4},
    ]
    assert difference({"a": {}}, {"a": {"b": 1}}) == [
        {"path": "a", "before": {}, "after": None},
        {"path": "a.b", "before": None, "after": 1},
    ]


def test_a_route_explains_what_it_would_do_with_a_call(ask):
    made = ask(
        "POST", PATH, {**NEW, "strategy": "fallback", "targets": [*TARGETS, {"model": "echo/fast", "timeout_ms": 900}]}
    )
    explain = f"{PATH}/{made.json()['id']}/explain"

    told = ask("POST", explain, {"tags": {"tier": "gold"}, "segments": ["vip"], "input_tokens": 999}).json()

    assert (told["route"], told["version"], told["strategy"]) == ("fast", 1, "fallback")
    assert told["targets"] == [{"target": "echo/fast", "place": 1, "reason": "in the order written", "timeout_ms": 900}]
    assert ask("POST", explain, {"input_tokens": "many"}).status_code == 422
