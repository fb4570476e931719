import re

import pytest

from apps.orgs.testing import make_household, make_member, signed_in
from apps.routing.models import Credential, Provider, ProviderModel
from apps.routing.selectors.credentials import open_secret
from apps.routing.services.providers import create_provider
from brokle.ground.models import AuditEntry
from brokle.ground.services import SYSTEM

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
PAGES = "/noor/providers"
SECRET = "sk-of-noor-0123456789abcdef"
OWN = {"name": "noors-own", "base_url": "http://127.0.0.1:9/v1", "api_key": SECRET}


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def owner(noor):
    return signed_in(noor.owner)


@pytest.fixture
def provider(noor):
    place = {"organization_id": noor.id, "project_id": noor.made.project.id}
    return create_provider(**place, name="noors-own", kind="groq", actor=SYSTEM)


def text(answer):
    return answer.content.decode()


def test_a_provider_is_connected_with_its_key_and_nobody_sees_it_again(noor, owner):
    answer = owner.post(f"{PAGES}/new?kind=openai-compatible", OWN)
    made = Provider.objects.of(noor.id).get()

    assert (answer.status_code, answer["location"]) == (302, f"{PAGES}/{made.id}?env=default/production")
    assert (made.name, made.base_url, made.project_id) == ("noors-own", OWN["base_url"], noor.made.project.id)
    credential = Credential.objects.of(noor.id).get()
    assert open_secret(credential) == SECRET
    page = text(owner.get(answer["location"]))
    assert SECRET not in page
    assert "…cdef" in page
    assert AuditEntry.objects.filter(action="provider.created", target_id=made.id).count() == 1


def test_what_an_address_leaves_open_is_asked_for(noor, owner):
    page = text(owner.get(f"{PAGES}/new?kind=azure"))
    assert 'name="option_resource"' in page

    said = {"name": "azure", "base_url": "https://{resource}.openai.azure.com/openai", "api_key": SECRET}
    refused = owner.post(f"{PAGES}/new?kind=azure", said)
    assert refused.status_code == 422
    assert not Provider.objects.of(noor.id).exists()

    assert owner.post(f"{PAGES}/new?kind=azure", {**said, "option_resource": "noor"}).status_code == 302
    assert Provider.objects.of(noor.id).get().options == {"resource": "noor"}


def test_a_name_that_is_taken_is_told_at_its_field(owner, provider):
    answer = owner.post(f"{PAGES}/new?kind=groq", {**OWN, "base_url": "https://api.groq.com/openai/v1"})

    assert answer.status_code == 422
    assert 'id="id_name_error"' in text(answer)
    assert SECRET not in text(answer)


def test_the_catalogue_is_searched_by_name_and_title(owner):
    assert "Anthropic" in text(owner.get(f"{PAGES}/new?q=ANTHROP"))
    assert "Nothing by that name." in text(owner.get(f"{PAGES}/new?q=no-such-provider"))


def test_a_viewer_looks_and_changes_nothing(noor, provider):
    viewer = signed_in(make_member(noor, "viewer"))
    page = viewer.get(f"{PAGES}/{provider.id}")

    assert page.status_code == 200
    assert "Remove the provider" not in text(page)
    assert viewer.post(f"{PAGES}/{provider.id}/remove", {"confirm": "noors-own"}).status_code == 403
    assert Provider.objects.of(noor.id).count() == 1


def test_a_provider_goes_only_by_its_name(noor, owner, provider):
    owner.post(f"{PAGES}/{provider.id}/remove", {"confirm": "another"})
    assert Provider.objects.of(noor.id).count() == 1

    owner.post(f"{PAGES}/{provider.id}/remove", {"confirm": "noors-own"})
    assert not Provider.objects.of(noor.id).exists()


def test_a_key_of_this_environment_is_added_weighed_rotated_and_removed(noor, owner, provider):
    said = {"credential-name": "spare", "credential-api_key": SECRET, "credential-weight": "3"}
    owner.post(f"{PAGES}/{provider.id}/keys", {**said, "credential-is_own": "on"})
    credential = Credential.objects.of(noor.id).get()
    assert (credential.name, credential.weight, credential.environment_id) == ("spare", 3, noor.production.id)

    path = f"{PAGES}/{provider.id}/keys/{credential.id}"
    owner.post(path, {"name": "main", "weight": "5", "api_key": ""})
    credential.refresh_from_db()
    assert (credential.name, credential.weight, open_secret(credential)) == ("main", 5, SECRET)
    owner.post(path, {"name": "main", "weight": "5", "api_key": "sk-another-0123456789"})
    credential.refresh_from_db()
    assert open_secret(credential) == "sk-another-0123456789"

    owner.post(f"{path}/remove")
    assert not Credential.objects.of(noor.id).exists()


def test_a_model_gets_a_price_and_loses_it(noor, owner, provider):
    owner.post(f"{PAGES}/{provider.id}/models", {"model-name": "dear", "model-input": "2.50", "model-output": "10"})
    model = ProviderModel.objects.of(noor.id).get()
    assert (model.name, model.prices) == ("dear", {"input": "2.5", "output": "10"})

    path = f"{PAGES}/{provider.id}/models/{model.id}"
    owner.post(path, {"input": "", "output": ""})
    model.refresh_from_db()
    assert (model.name, model.prices, model.revision) == ("dear", {}, 2)
    owner.post(f"{path}/remove")
    assert not ProviderModel.objects.of(noor.id).exists()


def test_a_test_that_cannot_be_made_says_why(owner, provider):
    answer = owner.post(f"{PAGES}/{provider.id}/test")

    assert answer.status_code == 200
    assert "It was not tested" in text(answer)
    assert "has no key yet" in text(answer)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("azure", {"resource", "api_version"}),
        ("vertex", {"project", "location"}),
        ("bedrock", {"region", "access_key_id"}),
        ("anthropic", {"anthropic_version"}),
        ("openai-compatible", {"responses"}),
        ("cloudflare-workers-ai", {"account", "responses"}),
        ("gemini", set()),
    ],
)
def test_each_kind_asks_for_what_it_may_be_told(owner, kind, asked):
    page = text(owner.get(f"{PAGES}/new?kind={kind}"))
    assert set(re.findall(r'name="option_(\w+)"', page)) == asked


def test_an_edition_is_told_changed_and_taken_back(noor, owner):
    address = "https://{resource}.openai.azure.com/openai"
    said = {"name": "azure", "base_url": address, "api_key": SECRET, "option_resource": "noor"}
    owner.post(f"{PAGES}/new?kind=azure", {**said, "option_api_version": "2025-04-01-preview"})
    made = Provider.objects.of(noor.id).get()
    assert made.options == {"resource": "noor", "api_version": "2025-04-01-preview"}

    page = f"{PAGES}/{made.id}"
    assert 'value="2025-04-01-preview"' in text(owner.get(page))
    assert owner.post(page, {**said, "option_api_version": "v1", "is_enabled": "on"}).status_code == 302
    made.refresh_from_db()
    assert made.options == {"resource": "noor", "api_version": "v1"}
    assert owner.post(page, {**said, "option_api_version": "not one"}).status_code == 422
    assert owner.post(page, {**said, "option_api_version": ""}).status_code == 302
    made.refresh_from_db()
    assert made.options == {"resource": "noor"}


def test_what_cannot_be_called_without_is_needed(noor, owner):
    address = "https://{location}-aiplatform.googleapis.com/v1"
    said = {"name": "cloud", "base_url": address, "api_key": SECRET, "option_location": "europe-west1"}
    assert owner.post(f"{PAGES}/new?kind=vertex", said).status_code == 422
    assert not Provider.objects.of(noor.id).exists()
    assert owner.post(f"{PAGES}/new?kind=vertex", {**said, "option_project": "p1"}).status_code == 302
    assert Provider.objects.of(noor.id).get().options == {"location": "europe-west1", "project": "p1"}


def test_what_the_form_does_not_ask_for_stays(noor, owner, provider):
    Provider.objects.of(noor.id).filter(id=provider.id).update(options={"responses": "yes", "auth": "key"})
    said = {"name": "noors-own", "base_url": provider.base_url, "is_enabled": "on", "option_responses": ""}
    assert owner.post(f"{PAGES}/{provider.id}", said).status_code == 302
    provider.refresh_from_db()
    assert provider.options == {"auth": "key"}
