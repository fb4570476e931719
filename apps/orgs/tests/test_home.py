"""What the shell shows where the address names no organization."""

import pytest
from django.test import Client

from apps.orgs.models import Membership, Organization
from apps.orgs.testing import make_household, make_person, signed_in

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def noor():
    return make_household("noor")


def joined(person, household):
    Membership.objects.create(organization=household.made.organization, user=person, role="viewer")


@pytest.mark.parametrize("path", ["/settings", "/settings/tokens", "/notifications"])
def test_a_persons_own_pages_show_the_organization_they_were_in_last(noor, path):
    zahra, owner = make_household("zahra"), signed_in(noor.owner)
    joined(noor.owner, zahra)
    first = owner.get(path).context["shell"]
    owner.get("/zahra/settings")
    then = owner.get(path).context["shell"]

    assert (first.workspace.organization, then.workspace.organization) == ("Noor", "Zahra")
    assert [line.href for line in then.sections] == ["/zahra/", "/zahra/requests", "/zahra/settings"]
    assert [choice.name for choice in then.workspace.choices] == ["Noor", "Zahra"]


def test_the_front_door_leads_where_they_were_last(noor):
    zahra, owner = make_household("zahra"), signed_in(noor.owner)
    joined(noor.owner, zahra)
    assert owner.get("/dashboard")["location"] == "/noor/"
    owner.get("/zahra/settings")
    assert owner.get("/dashboard")["location"] == "/zahra/"
    Membership.objects.of(zahra.id).filter(user=noor.owner).delete()
    assert owner.get("/dashboard")["location"] == "/noor/"


def test_an_organization_that_is_closed_is_not_shown(noor):
    owner = signed_in(noor.owner)
    owner.get("/noor/settings")
    Organization.objects.filter(id=noor.id).update(suspended_at="2026-01-01T00:00:00Z")

    assert owner.get("/settings").context["shell"].workspace is None


def test_who_belongs_nowhere_sees_their_own_pages(noor):
    page = signed_in(make_person("lone@example.com")).get("/settings")
    assert (page.status_code, page.context["shell"].workspace) == (200, None)


def test_the_palette_knows_the_pages_of_the_organization(noor):
    owner = signed_in(noor.owner)
    owner.get("/noor/settings")
    found = [line["href"] for line in owner.get("/palette.json").json()["commands"]]

    assert {"/noor/", "/noor/settings"} <= set(found)
    assert [line["href"] for line in Client().get("/palette.json").json()["commands"] if "noor" in line["href"]] == []


def test_a_nul_in_an_address_is_the_callers_mistake(noor):
    assert signed_in(noor.owner).get("/onboarding/key?organization=%00").status_code == 400
