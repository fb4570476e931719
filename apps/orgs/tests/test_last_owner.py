import pytest
from django.test import Client

from apps.orgs.models import Membership
from apps.orgs.testing import make_household, make_person
from apps.users.models import User

pytestmark = pytest.mark.engines

PASSWORD = "a-long-enough-password"


def delete_account(person):
    client = Client()
    client.force_login(person)
    return client.post("/settings/delete", {"confirm": person.email, "password": PASSWORD})


def test_the_last_owner_of_an_organization_keeps_the_account_and_hears_why(db):
    household = make_household("noor")
    response = delete_account(household.owner)

    assert response.status_code == 409
    assert "You are the last owner of <bdi>Noor</bdi>. Make somebody else an owner" in response.content.decode()
    assert User.objects.filter(pk=household.owner.pk).exists()


@pytest.mark.parametrize("role", ["owner", "developer"])
def test_who_is_not_alone_may_go(db, role):
    household = make_household("noor")
    person = make_person("second@noor.example")
    Membership.objects.create(organization=household.made.organization, user=person, role=role)

    assert delete_account(person).status_code == 302
    assert not User.objects.filter(pk=person.pk).exists()
    assert User.objects.filter(pk=household.owner.pk).exists()
