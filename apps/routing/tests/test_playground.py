"""The playground's page, and the pass it calls the gateway with."""

import pytest
from django.conf import settings

from apps.orgs import facade as orgs
from apps.orgs.testing import make_household, make_member, make_person, signed_in
from apps.routing.services.definitions import Definition, TargetEntry
from apps.routing.services.routes import create_route
from brokle.edge.passes import Passes
from brokle.ground.services import SYSTEM

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
PAGE = "/noor/playground"


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def developer(noor):
    return signed_in(make_member(noor, "developer"))


def text(answer):
    return answer.content.decode()


def read(client, token):
    """As the data plane reads it, sent with the cookies of this browser."""
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return Passes([settings.PASS_KEY]).find(token.encode(), [(b"cookie", cookies.encode())])


def test_a_developer_finds_routes_and_built_in_models_to_ask(noor, developer):
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    create_route(**place, name="support-chat", definition=Definition([TargetEntry("echo/fast")]), actor=SYSTEM)

    page = text(developer.get(PAGE))

    assert '<option value="support-chat"></option>' in page
    assert '<option value="echo/slow"></option>' in page
    assert page.count('name="model" list="callable" value="support-chat"') == 1


def test_the_address_names_up_to_four_models_once_each(developer):
    asked = "&".join(f"model=echo/{name}" for name in ("fast", "slow", "fast", "tool", "a", "b"))
    page = text(developer.get(f"{PAGE}?{asked}"))

    shown = [name for name in ("fast", "slow", "tool", "a", "b") if f'list="callable" value="echo/{name}"' in page]
    assert shown == ["fast", "slow", "tool", "a"]


def test_what_the_address_says_is_shown_as_text_alone(developer):
    page = text(developer.get(PAGE, {"model": '"><script>alert(1)</script>'}))

    assert "<script>alert(1)" not in page


def test_a_pass_is_for_the_person_in_the_environment_they_look_at(noor, developer):
    answer = developer.post(f"{PAGE}/pass?env=default/development")
    person = read(developer, answer.json()["token"])

    assert answer.json()["expires_in"] == 60
    assert answer["cache-control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert (person.organization_id, person.project_id) == (noor.id, noor.made.project.id)
    assert person.environment_id != noor.production.id
    assert person.key_id == developer.session["_auth_user_id"]
    assert person.scopes == {"gateway"}


def test_a_pass_is_nothing_in_another_session(noor, developer):
    token = developer.post(f"{PAGE}/pass").json()["token"]

    assert read(developer, token) is not None
    assert read(signed_in(noor.owner), token) is None


@pytest.mark.parametrize("role", ["viewer", "billing", "consumer"])
def test_who_may_only_look_gets_neither_page_nor_pass(noor, role):
    member = signed_in(make_member(noor, role))

    assert member.get(f"{PAGE}?env=default/production").status_code in {403, 404}
    assert member.post(f"{PAGE}/pass?env=default/production").status_code in {403, 404}


def test_for_an_outsider_there_is_nothing(noor):
    outsider = signed_in(make_person("outsider@elsewhere.example"))

    assert outsider.get(PAGE).status_code == 404
    assert outsider.post(f"{PAGE}/pass").status_code == 404


def test_without_the_proof_of_the_page_no_pass_is_written(noor):
    owner = signed_in(noor.owner, enforce_csrf_checks=True)

    assert owner.post(f"{PAGE}/pass").status_code == 403


@pytest.mark.parametrize("env", ["default/nowhere", "other/production", "%00", "x" * 500])
def test_an_environment_that_is_not_there_is_not_found(developer, env):
    assert developer.get(f"{PAGE}?env={env}").status_code == 404
    assert developer.post(f"{PAGE}/pass?env={env}").status_code == 404


def test_a_pass_is_asked_for_and_never_followed(developer):
    assert developer.get(f"{PAGE}/pass").status_code == 405
    assert developer.post(PAGE).status_code == 405


def test_compared_models_and_routes_lead_to_it(noor, developer):
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    route = create_route(**place, name="support-chat", definition=Definition([TargetEntry("echo/fast")]), actor=SYSTEM)
    viewer = signed_in(make_member(noor, "viewer"))
    link = "/noor/playground?env=default/production&amp;model=support-chat"

    assert link in text(developer.get(f"/noor/routes/{route.id}"))
    assert link not in text(viewer.get(f"/noor/routes/{route.id}"))


def test_in_the_log_a_person_has_their_name(noor):
    other = make_household("elsewhere")
    people = [noor.owner.pk, other.owner.pk]

    assert orgs.list_key_names(organization_id=noor.id, key_ids=[noor.key.key_id, *people]) == {
        noor.key.key_id: "all scopes",
        noor.owner.pk: noor.owner.email,
    }
