import pytest

from apps.orgs.testing import make_household, make_member, signed_in
from apps.routing.models import Route
from apps.routing.services.definitions import Definition, TargetEntry
from apps.routing.services.routes import create_route, current_of
from brokle.ground.services import SYSTEM

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
PAGES = "/noor/routes"
FORM = {
    "name": "support-chat",
    "strategy": "fallback",
    "retries": "1",
    "timeout_ms": "30000",
    "fallback_on": ["error", "timeout"],
    "hedge_after_ms": "0",
    "target-TOTAL_FORMS": "3",
    "target-INITIAL_FORMS": "0",
    "target-0-model": "echo/slow",
    "target-0-weight": "1",
    "target-0-when": "tag.tier: gold, silver\ninput_tokens: 8000..",
    "target-1-model": "echo/fast",
    "target-1-weight": "2",
    "target-1-timeout_ms": "1500",
}


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def owner(noor):
    return signed_in(noor.owner)


@pytest.fixture
def route(noor):
    definition = Definition([TargetEntry("echo/fast"), TargetEntry("echo/slow", when={"tag.tier": "gold"})])
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    return create_route(**place, name="support-chat", definition=definition, actor=SYSTEM)


def text(answer):
    return answer.content.decode()


def test_a_route_is_made_of_rows_with_conditions(noor, owner):
    answer = owner.post(f"{PAGES}/new", FORM)
    made = Route.objects.of(noor.id).get()

    assert (answer.status_code, answer["location"]) == (302, f"{PAGES}/{made.id}?env=default/production")
    said = current_of(made)
    assert said["targets"] == [
        {"model": "echo/slow", "when": {"tag.tier": ["gold", "silver"], "input_tokens": {"min": 8000}}},
        {"model": "echo/fast", "weight": 2, "timeout_ms": 1500},
    ]
    assert (said["retries"], said["timeout_ms"], said["fallback_on"]) == (1, 30_000, ["error", "timeout"])


def test_the_editor_shows_what_is_in_force_and_saves_the_next_version(noor, owner, route):
    page = text(owner.get(f"{PAGES}/{route.id}"))
    assert 'value="echo/fast"' in page
    assert "tag.tier: gold" in page

    owner.post(f"{PAGES}/{route.id}", {**FORM, "target-0-model": "echo/fast", "target-0-when": "hour: 9..17"})
    route.refresh_from_db()
    assert route.version == 2
    assert current_of(route)["targets"][0] == {"model": "echo/fast", "when": {"hour": {"min": 9, "max": 17}}}


@pytest.mark.parametrize("deadline", ["0", "soon", "30001"])
def test_a_deadline_that_no_target_can_have_is_told_and_nothing_changes(noor, owner, deadline):
    answer = owner.post(f"{PAGES}/new", {**FORM, "target-1-timeout_ms": deadline})

    assert answer.status_code == 422
    assert not Route.objects.of(noor.id).exists()


def test_the_deadline_of_a_target_is_shown_in_the_editor_and_in_a_try(owner, route):
    owner.post(f"{PAGES}/{route.id}", FORM)
    page = text(owner.get(f"{PAGES}/{route.id}?try=1&tags=tier%3Dgold&input_tokens=9000"))

    assert 'name="target-1-timeout_ms" value="1500"' in page
    assert "Deadline, ms <bdi>1500</bdi>" in page


def test_rows_are_taken_as_sent_also_where_somebody_else_saved_the_same_meanwhile(owner, route):
    same = {"target-0-model": "echo/fast", "target-0-when": "", "target-1-model": ""}
    owner.post(f"{PAGES}/{route.id}", {**FORM, **same})

    assert current_of(route.__class__.objects.of(route.organization_id).get())["targets"] == [{"model": "echo/fast"}]


@pytest.mark.parametrize("line", ["tag.tier", "input_tokens: many", "weather: fine"])
def test_a_condition_that_nobody_understands_is_told_and_nothing_changes(noor, owner, line):
    answer = owner.post(f"{PAGES}/new", {**FORM, "target-0-when": line})

    assert answer.status_code == 422
    assert not Route.objects.of(noor.id).exists()


def test_a_try_tells_order_and_reasons(owner, route):
    page = text(owner.get(f"{PAGES}/{route.id}?try=1&user=u_1&tags=tier%3Dsilver"))
    assert "In the order written" in page
    assert "The condition <bdi>tag.tier</bdi> does not fit" in page

    page = text(owner.get(f"{PAGES}/{route.id}?try=1&tags=tier%3Dgold"))
    assert "does not fit" not in page


def test_versions_are_compared_and_gone_back_to(owner, route):
    owner.post(f"{PAGES}/{route.id}", FORM)
    page = text(owner.get(f"{PAGES}/{route.id}?version=1"))
    assert "targets[1].weight" in page
    assert "Go back to it" in page

    owner.post(f"{PAGES}/{route.id}/rollback", {"version": "1"})
    route.refresh_from_db()
    assert route.version == 3
    assert [target["model"] for target in current_of(route)["targets"]] == ["echo/fast", "echo/slow"]


def test_a_viewer_tries_a_route_and_changes_nothing(noor, route):
    viewer = signed_in(make_member(noor, "viewer"))
    page = text(viewer.get(f"{PAGES}/{route.id}?try=1"))

    assert "In the order written" in page
    assert "Save as the next version" not in page
    assert viewer.post(f"{PAGES}/{route.id}", FORM).status_code == 403
    route.refresh_from_db()
    assert route.version == 1


def test_a_route_goes_only_by_its_name(noor, owner, route):
    owner.post(f"{PAGES}/{route.id}/remove", {"confirm": "another"})
    assert Route.objects.of(noor.id).count() == 1

    owner.post(f"{PAGES}/{route.id}/remove", {"confirm": "support-chat"})
    assert not Route.objects.of(noor.id).exists()
