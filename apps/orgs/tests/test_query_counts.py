"""How many statements a list or a page costs: the same for one row as for thirteen."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.orgs.models import Membership, Notification, ProjectMembership
from apps.orgs.selectors.organizations import find_standing
from apps.orgs.services.deliveries import deliver_event
from apps.orgs.services.invitations import invite
from apps.orgs.services.keys import issue_key
from apps.orgs.services.projects import create_environment
from apps.orgs.services.tokens import issue_token
from apps.orgs.services.webhooks import create_webhook
from apps.orgs.testing import make_household, make_person, signed_in
from brokle.ground.services import SYSTEM

pytestmark = pytest.mark.engines
ROWS = 12

# By address: statements in all, the token or session and its person, the standing and the workspace among them.
API = {
    "/api/v1/auth/me": 3,
    "/api/v1/organizations": 2,
    "/api/v1/organizations/{organization}": 2,
    "/api/v1/organizations/{organization}/members": 4,
    "/api/v1/organizations/{organization}/invitations": 4,
    "/api/v1/organizations/{organization}/projects": 4,
    "/api/v1/projects/{project}": 5,
    "/api/v1/projects/{project}/members": 6,
    "/api/v1/projects/{project}/environments": 6,
    "/api/v1/environments/{environment}": 5,
    "/api/v1/keys?environment={environment}": 6,
    "/api/v1/organizations/{organization}/audit-log": 4,
    "/api/v1/organizations/{organization}/webhooks": 4,
    "/api/v1/organizations/{organization}/webhooks/{webhook}/deliveries": 5,
    "/api/v1/notifications": 4,
    "/api/v1/notification-preferences": 4,
    "/api/v1/tokens": 2,
    "/api/v1/event-types": 1,
}
PAGES = {
    "/noor/settings": 6,
    "/noor/settings/members": 8,
    "/noor/settings/projects": 7,
    "/noor/settings/projects/{project}": 7,
    "/noor/settings/keys": 7,
    "/noor/settings/audit": 11,
    "/noor/settings/webhooks": 6,
    "/noor/settings/webhooks/{webhook}": 7,
    "/notifications": 7,
    "/settings": 6,
    "/settings/tokens": 7,
}


@pytest.fixture
def noor(db):
    return make_household("noor")


def add_rows(noor, first, count):
    """Of everything that is listed, one a number."""
    organization, project, standing = noor.made.organization, noor.made.project, standing_of(noor)
    for number in range(first, first + count):
        person = make_person(f"p{number}@noor.example")
        seat = Membership.objects.create(organization=organization, user=person, role="viewer")
        ProjectMembership.objects.create(organization=organization, project=project, membership=seat, role="developer")
        address = f"g{number}@noor.example"
        invite(standing=standing, email=address, role="viewer", language="en", link=str, actor=SYSTEM)
        create_environment(project=project, name=f"Stage {number}", actor=SYSTEM)
        issue_key(environment=noor.production, name=f"key {number}", scopes=["gateway"], actor=SYSTEM)
        issue_token(user_id=noor.owner.pk, name=f"laptop {number}", actor=SYSTEM)
        event = {"event_id": f"evt_{number}", "event": "key.created", "organization_id": noor.id, "at": "", "data": {}}
        deliver_event(event)
        Notification.objects.create(
            organization=organization, user=noor.owner, event_id=f"evt_{number}", event="key.created", about="ci"
        )


def standing_of(noor):
    return find_standing(user_id=noor.owner.pk, organization_id=noor.id)


def counts(noor, webhook, addresses, client):
    parts = {
        "organization": noor.id,
        "project": noor.made.project.id,
        "environment": noor.production.id,
        "webhook": webhook.id,
    }
    found = {}
    for address in addresses:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address.format(**parts)).status_code == 200, address
        found[address] = len(captured)
    return found


@pytest.mark.parametrize("expected", [API, PAGES], ids=["api", "pages"])
def test_a_list_costs_the_same_number_of_statements_however_long_it_is(noor, expected):
    webhook = create_webhook(organization_id=noor.id, url="https://93.184.216.34/", actor=SYSTEM).webhook
    token = issue_token(user_id=noor.owner.pk, name="cli", actor=SYSTEM).value
    client = Client(headers={"authorization": f"Bearer {token}"}) if expected is API else signed_in(noor.owner)
    client.get("/api/v1/auth/me" if expected is API else "/noor/settings")  # notes when and where they were last

    add_rows(noor, 0, 1)
    assert counts(noor, webhook, expected, client) == expected
    add_rows(noor, 1, ROWS)
    assert counts(noor, webhook, expected, client) == expected
