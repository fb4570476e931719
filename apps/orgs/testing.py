"""The cast of tests: an owner, a member of each role and an outsider, each with an organization to stand in."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from apps.orgs.contracts import IssuedKey
from apps.orgs.models import Environment, Membership
from apps.orgs.services.keys import issue_key
from apps.orgs.services.organizations import NewOrganization, create_organization
from brokle.edge.principal import SCOPES
from brokle.ground.services import SYSTEM


@dataclass(frozen=True, slots=True)
class Household:
    """An organization with its owner and a key of all scopes in production."""

    made: NewOrganization
    owner: Any
    key: IssuedKey

    @property
    def id(self) -> str:
        return self.made.organization.id

    @property
    def production(self) -> Environment:
        return self.made.production

    @property
    def bearer(self) -> dict[str, str]:
        return bearer(self.key)


def bearer(key: IssuedKey) -> dict[str, str]:
    return {"authorization": f"Bearer {key.value}"}


def make_person(email: str) -> Any:
    return get_user_model().objects.create_user(email, "a-long-enough-password")


def make_operator(email: str = "operator@brokle.example") -> Any:
    """Whoever runs the installation, a member of nothing."""
    return get_user_model().objects.create_superuser(email, "a-long-enough-password")


def make_household(slug: str) -> Household:
    owner = make_person(f"owner@{slug}.example")
    made = create_organization(name=slug.title(), slug=slug, owner_id=owner.pk, actor=SYSTEM)
    key = issue_key(environment=made.production, name="all scopes", scopes=SCOPES, actor=SYSTEM)
    return Household(made, owner, key)


def make_member(household: Household, role: str) -> Any:
    person = make_person(f"{role}@{household.made.organization.slug}.example")
    Membership.objects.create(organization=household.made.organization, user=person, role=role)
    return person


def signed_in(person: Any, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(person)
    return client


def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """As a program calls the management API."""
    data = json.dumps({} if body is None else body)
    return client.generic(method, path, data, content_type="application/json", headers=headers)
