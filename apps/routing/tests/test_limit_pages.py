"""Limits in the console: who sets them, what is refused, and how far a budget is used up."""

import pytest

from apps.orgs.testing import make_household, make_member, make_person, signed_in
from apps.routing.models import Owner, UsageLimit
from apps.routing.services.limits import create_limit
from brokle.edge.budgets import counter_of
from brokle.engines.state import state
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
PAGES = "/noor/limits"
FORM = {"name": "monthly", "subject": "project", "only": "", "measured": "usd", "amount": "12.50", "window": "month"}
FACTS = {"name": "monthly", "subject": "project", "only": "", "measured": "usd", "window": "month"}


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def developer(noor):
    return signed_in(make_member(noor, "developer"))


@pytest.fixture
def limit(noor):
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    return create_limit(**place, actor=SYSTEM, amount=10_000_000, **FACTS)


def text(answer):
    return answer.content.decode()


def spend(limit, whose, nanos):
    counter, _ = counter_of(f"{limit.id}:{whose}", limit.window, utc_now())
    state().hset(f"bk:lim:{counter}", "spent", nanos)


def test_a_budget_is_set_in_dollars(noor, developer):
    answer = developer.post(f"{PAGES}/new", FORM)
    made = UsageLimit.objects.of(noor.id).get()

    assert (answer.status_code, answer["location"]) == (302, f"{PAGES}?env=default/production")
    assert (made.amount, made.measured, made.window, made.project_id) == (
        12_500_000,
        "usd",
        "month",
        noor.made.project.id,
    )


def test_calls_are_counted_in_whole_numbers(noor, developer):
    rate = {**FORM, "measured": "requests", "window": "minute", "subject": "user"}

    assert developer.post(f"{PAGES}/new", {**rate, "amount": "1.5"}).status_code == 422
    assert developer.post(f"{PAGES}/new", {**rate, "amount": "60"}).status_code == 302
    assert UsageLimit.objects.of(noor.id).get().amount == 60


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": "minute"},
        {"window": "fortnight"},
        {"window": ""},
        {"amount": ""},
        {"amount": "-1"},
        {"amount": "0"},
        {"amount": "many"},
        {"amount": "NaN"},
        {"amount": "1e99"},
        {"amount": "9999999999999"},
        {"measured": "cows"},
        {"subject": ""},
        {"name": ""},
        {"name": "x" * 121},
        {"measured": "parallel", "window": "day"},
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_set(noor, developer, wrong):
    assert developer.post(f"{PAGES}/new", {**FORM, **wrong}).status_code == 422
    assert not UsageLimit.objects.of(noor.id).exists()


def test_the_list_and_the_page_tell_what_is_spent(noor, developer, limit):
    spend(limit, noor.made.project.id, 8_000_000_000)

    for path in (PAGES, f"{PAGES}/{limit.id}"):
        page = text(developer.get(path))
        assert "<bdi>$8.00</bdi> of <bdi>$10.00</bdi> spent" in page
        assert 'class="meter warn"' in page


def test_what_is_counted_for_each_apart_has_no_one_figure(noor, developer):
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    each = create_limit(**place, actor=SYSTEM, amount=10_000_000, **{**FACTS, "subject": "user"})
    one = create_limit(
        **place, actor=SYSTEM, amount=10_000_000, **{**FACTS, "name": "one", "subject": "user", "only": "u_1"}
    )
    spend(one, "u_1", 1_000_000_000)

    assert "Each has a counter of their own." in text(developer.get(f"{PAGES}/{each.id}"))
    assert "<bdi>$1.00</bdi> of <bdi>$10.00</bdi> spent" in text(developer.get(f"{PAGES}/{one.id}"))


def test_a_limit_is_changed_and_taken_away(noor, developer, limit):
    developer.post(f"{PAGES}/{limit.id}", {"only": "", "amount": "20", "window": "week"})
    limit.refresh_from_db()
    assert (limit.amount, limit.window, limit.subject) == (20_000_000, "week", "project")

    wrong = developer.post(f"{PAGES}/{limit.id}", {"only": "", "amount": "30", "window": "minute"})
    limit.refresh_from_db()
    assert (wrong.status_code, limit.amount) == (422, 20_000_000)

    developer.post(f"{PAGES}/{limit.id}/remove")
    assert not UsageLimit.objects.of(noor.id).exists()


@pytest.mark.parametrize(
    ("measured", "window", "amount", "shown"), [("usd", "month", 12_500_000, "12.5"), ("requests", "hour", 60, "60")]
)
def test_the_form_shows_the_amount_as_it_was_written(noor, developer, measured, window, amount, shown):
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    made = create_limit(**place, actor=SYSTEM, amount=amount, **{**FACTS, "measured": measured, "window": window})

    assert f'name="amount" value="{shown}"' in text(developer.get(f"{PAGES}/{made.id}"))


def test_a_viewer_looks_and_changes_nothing(noor, limit):
    viewer = signed_in(make_member(noor, "viewer"))

    assert "Take the limit away" not in text(viewer.get(f"{PAGES}/{limit.id}"))
    assert viewer.get(f"{PAGES}/new").status_code == 403
    assert viewer.post(f"{PAGES}/new", FORM).status_code == 403
    assert viewer.post(f"{PAGES}/{limit.id}", {"amount": "1", "window": "month"}).status_code == 403
    assert viewer.post(f"{PAGES}/{limit.id}/remove").status_code == 403
    limit.refresh_from_db()
    assert limit.amount == 10_000_000


def test_for_an_outsider_there_is_nothing(noor, limit):
    outsider = signed_in(make_person("outsider@elsewhere.example"))

    assert [outsider.get(f"{PAGES}{tail}").status_code for tail in ("", "/new", f"/{limit.id}")] == [404, 404, 404]
    other = make_household("elsewhere")
    assert signed_in(other.owner).get(f"/elsewhere/limits/{limit.id}").status_code == 404


def test_what_the_file_says_is_looked_at_alone(noor, developer, limit):
    UsageLimit.objects.of(noor.id).update(owner=Owner.FILE)

    assert "Owned by the configuration file" in text(developer.get(f"{PAGES}/{limit.id}"))
    assert developer.post(f"{PAGES}/{limit.id}", {"amount": "1", "window": "month"}).status_code == 422
    developer.post(f"{PAGES}/{limit.id}/remove")
    assert UsageLimit.objects.of(noor.id).get().amount == 10_000_000


def test_all_projects_are_bound_by_whoever_may_in_all_of_them(noor):
    admin = signed_in(make_member(noor, "admin"))
    admin.post(f"{PAGES}/new", {**FORM, "subject": "organization", "for_all_projects": "on"})

    made = UsageLimit.objects.of(noor.id).get()
    assert made.project_id is None
    assert "all projects" in text(admin.get(PAGES))
