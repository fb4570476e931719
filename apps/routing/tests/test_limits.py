from decimal import Decimal

import pytest

from apps.orgs.testing import call, make_household
from apps.routing.edge.book import LimitRecord, decode_book
from apps.routing.models import UsageLimit
from apps.routing.services.limits import LimitEntry, apply_limits
from apps.routing.snapshot import compile_book
from brokle.ground.models import AuditEntry
from brokle.kernel.errors import BrokleError

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
PATH = "/api/v1/limits"
NEW = {"name": "each user", "subject": "user", "measured": "requests", "amount": 20, "window": "minute"}


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def ask(noor, client):
    client.force_login(noor.owner)
    place = f"?environment={noor.production.id}"
    return lambda method, path, body=None: call(client, method, f"{path}{place}", body)


def test_a_limit_is_set_changed_and_taken_away_and_the_edge_knows(ask, noor):
    made = ask("POST", PATH, NEW)
    assert made.status_code == 201, made.content
    limit_id = made.json()["id"]
    record = LimitRecord(limit_id, "each user", "user", "requests", 20, "minute")
    assert decode_book(compile_book(noor.made.project.id)).limits == [record]

    changed = ask("PATCH", f"{PATH}/{limit_id}", {"amount": 50})
    assert (changed.status_code, changed.json()["amount"]) == (200, 50)
    assert ask("DELETE", f"{PATH}/{limit_id}").status_code == 204
    assert compile_book(noor.made.project.id) is None
    actions = (
        AuditEntry.objects.filter(action__startswith="limit.").order_by("sequence").values_list("action", flat=True)
    )
    assert list(actions) == ["limit.created", "limit.changed", "limit.removed"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"measured": "usd", "window": "minute"}, "window"),
        ({"measured": "parallel", "window": "day"}, "window"),
        ({"measured": "tokens", "window": "month"}, "window"),
        ({"subject": "planet"}, "subject"),
        ({"amount": 0}, "amount"),
    ],
)
def test_what_makes_no_sense_is_refused(ask, change, field):
    answer = ask("POST", PATH, {**NEW, **change})
    assert answer.status_code == 422
    assert field in answer.content.decode()
    assert not UsageLimit.objects.across_organizations().exists()


def test_a_name_is_taken_once(ask):
    assert ask("POST", PATH, NEW).status_code == 201
    assert ask("POST", PATH, {**NEW, "amount": 3}).status_code == 409


@pytest.mark.parametrize(
    "entry",
    [
        LimitEntry("a", "user"),
        LimitEntry("a", "user", requests=1, tokens=1),
        LimitEntry("a", "user", usd=Decimal(0)),
        LimitEntry("a", "user", parallel=3, window="day"),
    ],
)
def test_the_file_says_one_measure_that_makes_sense(entry):
    with pytest.raises(BrokleError):
        apply_limits([entry])


def test_what_the_file_no_longer_names_goes():
    apply_limits([LimitEntry("a", "user", requests=5), LimitEntry("b", "organization", usd=Decimal("2.50"))])
    found = {limit.name: (limit.amount, limit.window) for limit in UsageLimit.objects.across_organizations()}
    assert found == {"a": (5, "minute"), "b": (2_500_000, "month")}
    apply_limits([LimitEntry("a", "user", requests=6)])
    assert [(limit.name, limit.amount) for limit in UsageLimit.objects.across_organizations()] == [("a", 6)]
    apply_limits([])
    assert not UsageLimit.objects.across_organizations().exists()
