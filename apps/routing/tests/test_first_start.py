import logging

import pytest

from apps.orgs import facade as orgs
from apps.orgs.models import Organization
from apps.routing.models import Credential, Provider
from apps.routing.selectors.credentials import open_secret
from apps.routing.services.first_start import pick_up_keys
from brokle.ground.models import AuditEntry
from brokle.settings.env import env

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
SECRET = "gsk-very-secret-value-1234"


@pytest.fixture
def variables(monkeypatch):
    for name in [name for name in env._values if name.endswith("_API_KEY")]:
        monkeypatch.delitem(env._values, name)
    monkeypatch.setitem(env._values, "GROQ_API_KEY", f" {SECRET}\n")
    monkeypatch.setitem(env._values, "ANTHROPIC_API_KEY", "sk-ant-0123456789")


@pytest.fixture
def default():
    return orgs.ensure_default_project()


def names():
    return sorted(Provider.objects.across_organizations().values_list("name", "kind", "base_url"))


def test_keys_in_the_environment_become_providers_of_all_projects(variables, default):
    pick_up_keys()

    assert names() == [
        ("anthropic", "anthropic", "https://api.anthropic.com/v1"),
        ("groq", "groq", "https://api.groq.com/openai/v1"),
    ]
    [groq] = Provider.objects.of(default.organization_id).filter(name="groq")
    [credential] = Credential.objects.of(default.organization_id).filter(provider=groq)
    assert (groq.project_id, groq.owner, groq.is_open) == (None, "people", True)
    assert (open_secret(credential), credential.name) == (SECRET, "GROQ_API_KEY")


def test_it_is_written_down_without_the_key(variables, default, caplog):
    with caplog.at_level(logging.DEBUG):
        pick_up_keys()
    entries = AuditEntry.objects.filter(organization_id=default.organization_id, action="provider.picked_up")

    assert sorted(entry.after["variable"] for entry in entries) == ["ANTHROPIC_API_KEY", "GROQ_API_KEY"]
    assert SECRET not in caplog.text + str([entry.after for entry in entries]) + str(
        [r.__dict__ for r in caplog.records]
    )


def test_a_second_start_leaves_what_people_made_of_it(variables, default):
    pick_up_keys()
    Provider.objects.of(default.organization_id).filter(name="groq").delete()
    Provider.objects.of(default.organization_id).filter(name="anthropic").update(is_enabled=False)
    entries = AuditEntry.objects.count()
    pick_up_keys()

    [left] = Provider.objects.of(default.organization_id)
    assert (left.name, left.is_enabled) == ("anthropic", False)
    assert AuditEntry.objects.count() == entries


def test_a_variable_that_comes_later_is_picked_up_then(variables, default, monkeypatch):
    pick_up_keys()
    monkeypatch.setitem(env._values, "MISTRAL_API_KEY", "m-1")
    pick_up_keys()

    assert [name for name, _kind, _url in names()] == ["anthropic", "groq", "mistral"]


def test_without_the_default_organization_nothing_is_made(variables):
    pick_up_keys()

    assert names() == []
    assert Organization.objects.count() == 0
