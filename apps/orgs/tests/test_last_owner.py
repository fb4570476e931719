from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from apps.orgs.models import Membership, Organization
from apps.orgs.services.organizations import request_deletion
from apps.orgs.testing import call, make_household, make_person, signed_in
from apps.users.models import User
from brokle.ground.services import SYSTEM

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


def test_a_program_hears_it_without_markup(db):
    household = make_household("noor")
    client = signed_in(household.owner)
    answer = call(client, "DELETE", "/api/v1/auth/me", {"password": PASSWORD})

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert answer.json()["detail"].startswith("You are the last owner of Noor. Make somebody else an owner")
    assert User.objects.filter(pk=household.owner.pk).exists()


def test_who_deleted_the_organization_may_go_after_it(db):
    household = make_household("noor")
    request_deletion(organization_id=household.id, actor=SYSTEM)

    assert delete_account(household.owner).status_code == 302
    assert Organization.objects.get().purge_at is not None


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_go_at_the_same_moment_one_stays():
    household = make_household("noor")
    other = make_person("second@noor.example")
    Membership.objects.create(organization=household.made.organization, user=other, role="owner")
    people = [household.owner, other]

    def leave(person):
        try:
            return delete_account(person).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(leave, people))

    assert statuses == [302, 409]
    assert Membership.objects.of(household.id).filter(role="owner").count() == 1
