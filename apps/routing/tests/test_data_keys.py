import pytest
from django.test import override_settings

from apps.orgs.testing import make_household
from apps.routing.models import Credential, DataKey
from apps.routing.selectors.credentials import open_secret, place_at_rest
from apps.routing.services.credentials import add_credential
from apps.routing.services.data_keys import reseal_data_keys, rotate_data_key
from apps.routing.services.providers import create_provider
from brokle.ground.models import AuditEntry
from brokle.ground.services import SYSTEM
from brokle.kernel.sealing import Sealer, UnableToUnseal

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def noor():
    return make_household("noor")


def keep(household, secret="sk-noor"):  # noqa: S107 - nobody's
    provider = create_provider(
        organization_id=household.id, project_id=None, name=f"p{secret[-4:]}", kind="groq", actor=SYSTEM
    )
    return add_credential(provider=provider, secret=secret, name="k", actor=SYSTEM)


def test_an_organization_has_one_key_of_its_own(noor):
    first, second = keep(noor, "sk-one-a"), keep(noor, "sk-two-b")

    assert DataKey.objects.of(noor.id).count() == 1
    assert (open_secret(first), open_secret(second)) == ("sk-one-a", "sk-two-b")


def test_the_installations_secret_alone_opens_nothing(noor, settings):
    credential = keep(noor)

    with pytest.raises(UnableToUnseal):
        Sealer(settings.ROOT_SECRETS).unseal(bytes(credential.sealed), place=place_at_rest(credential.id))


def test_one_organizations_key_does_not_open_anothers_secrets(noor):
    zahra = make_household("zahra")
    ours, theirs = keep(noor, "sk-noor-a"), keep(zahra, "sk-zahra-b")
    Credential.objects.of(zahra.id).filter(id=theirs.id).update(sealed=bytes(ours.sealed))

    with pytest.raises(UnableToUnseal):
        open_secret(Credential.objects.of(zahra.id).get(id=theirs.id))


def test_a_renewed_key_opens_what_was_sealed_before(noor):
    credential = keep(noor)
    sealed, key = bytes(credential.sealed), bytes(DataKey.objects.of(noor.id).get().sealed)

    assert rotate_data_key(organization_id=noor.id) == 1
    credential.refresh_from_db()
    assert bytes(credential.sealed) != sealed
    assert bytes(DataKey.objects.of(noor.id).get().sealed) != key
    assert open_secret(credential) == "sk-noor"
    assert AuditEntry.objects.filter(organization_id=noor.id, action="data_key.rotated").count() == 1


def test_there_is_nothing_to_renew_where_nothing_was_sealed(noor):
    assert rotate_data_key(organization_id=noor.id) == 0


def test_after_sealing_anew_the_former_secret_key_can_be_given_up(noor, settings):
    credential, former = keep(noor), settings.ROOT_SECRETS[0]
    with override_settings(ROOT_SECRETS=["the-new-root-secret-of-this-installation", former]):
        assert open_secret(credential) == "sk-noor"
        assert reseal_data_keys() == 1
    with override_settings(ROOT_SECRETS=["the-new-root-secret-of-this-installation"]):
        assert open_secret(credential) == "sk-noor"
    with pytest.raises(UnableToUnseal):
        open_secret(credential)
