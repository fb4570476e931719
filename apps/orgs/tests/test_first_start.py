import pytest

from apps.orgs.models import ApiKey, Membership, Organization
from apps.orgs.services.first_start import apply_first_start
from brokle.ground.models import AuditEntry, OutboxEntry, SnapshotChange

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def asked(settings):
    settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD = "amal@noor.example", "a-long-enough-password"
    settings.BOOTSTRAP_KEY = "bk_test_bootstrap_0123456789abcdef"


def test_a_bootstrap_key_is_written_down_and_nobody_is_told_of_it(asked):
    apply_first_start()
    key = ApiKey.objects.across_organizations().get()

    assert OutboxEntry.objects.count() == 0
    assert AuditEntry.objects.get(action="key.created", target_id=key.id).after["name"] == "bootstrap"
    assert SnapshotChange.objects.filter(kind="key", object_id=key.hash).count() == 1


def test_a_second_start_changes_nothing(asked):
    apply_first_start()
    apply_first_start()

    assert (Organization.objects.count(), ApiKey.objects.across_organizations().count()) == (1, 1)
    assert Membership.objects.across_organizations().get().role == "owner"
    assert AuditEntry.objects.filter(action="key.created").count() == 1
