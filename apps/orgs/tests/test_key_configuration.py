import pytest

from apps.orgs.models import ApiKey
from apps.orgs.services.configuration import KeyEntry
from apps.orgs.services.keys import FILE, bounds_of, revoke_key, rotate_key, update_key
from apps.orgs.snapshot import compile_key
from apps.orgs.testing import make_household
from brokle.ground.configuration import UnableToConfigure, apply_configuration
from brokle.ground.models import AuditEntry, SnapshotChange
from brokle.ground.services import Actor
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import Conflict

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
VALUE = "bk_test_a_key_of_the_file_0001"
WHOLE = f"""
keys:
  - {{name: ci, value: {VALUE}, scopes: [gateway], rpm: 50, tpm: 100000,
      budget: {{usd: 1.00, period: month, hard: true}}, models: [fast]}}
"""
SOMEBODY = Actor("user", "usr_1")


@pytest.fixture
def file(tmp_path, settings):
    found = tmp_path / "brokle.yaml"
    settings.CONFIG = str(found)
    return found


def apply(file, text):
    file.write_text(text)
    apply_configuration()


def keys():
    return ApiKey.objects.across_organizations().order_by("name")


def test_the_file_gives_keys_with_their_bounds(file):
    apply(file, WHOLE)
    [key] = keys()

    assert (key.name, key.scopes, key.allowed_models, key.created_by) == ("ci", ["gateway"], ["fast"], FILE)
    assert (key.requests_per_minute, key.tokens_per_minute) == (50, 100_000)
    assert (key.budget_usd_micros, key.budget_window) == (1_000_000, "month")
    assert (key.environment.slug, key.project.slug, key.organization.slug) == ("production", "default", "default")
    assert compile_key(key.hash) is not None
    assert VALUE not in str(list(AuditEntry.objects.values_list("after", flat=True)))


def test_a_second_time_changes_nothing(file):
    apply(file, WHOLE)
    before = (list(keys().values()), AuditEntry.objects.count(), SnapshotChange.objects.count())
    apply_configuration()

    assert (list(keys().values()), AuditEntry.objects.count(), SnapshotChange.objects.count()) == before


def test_other_bounds_and_another_environment_are_the_same_key(file):
    apply(file, WHOLE)
    [former] = keys()
    apply(file, WHOLE.replace("rpm: 50", "rpm: 60, environment: development").replace("name: ci", "name: runner"))
    [key] = keys()

    assert (key.id, key.name, key.requests_per_minute) == (former.id, "runner", 60)
    assert key.environment.slug == "development"


def test_a_key_that_is_named_no_longer_is_revoked_and_comes_back(file):
    apply(file, WHOLE)
    apply(file, "keys: []\n")
    [key] = keys()
    assert (key.revoked_at is not None, compile_key(key.hash)) == (True, None)

    apply(file, WHOLE)
    [again] = keys()
    assert (again.id, again.revoked_at) == (key.id, None)
    assert compile_key(again.hash) is not None


def test_another_value_ends_the_former_key(file):
    apply(file, WHOLE)
    apply(file, WHOLE.replace("0001", "0002"))

    assert sorted(key.revoked_at is None for key in keys()) == [False, True]


def test_people_do_not_change_what_the_file_owns(file):
    apply(file, WHOLE)
    [key] = keys()

    for attempt in (
        lambda: revoke_key(key=key, actor=SOMEBODY, at=utc_now()),
        lambda: update_key(key=key, actor=SOMEBODY, bounds=bounds_of(key), name="mine"),
        lambda: rotate_key(key=key, actor=SOMEBODY, overlap=utc_now() - utc_now()),
    ):
        with pytest.raises(Conflict, match="owned by the configuration file"):
            attempt()
    key.refresh_from_db()
    assert (key.name, key.revoked_at, ApiKey.objects.across_organizations().count()) == ("ci", None, 1)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("keys:\n  - name: a\n    value: bk_short\n", 3, "at least 24 characters"),
        ("keys:\n  - name: a\n    value: {env: NOT_SET_ANYWHERE}\n", 2, "NOT_SET_ANYWHERE is empty or missing"),
        (f"keys:\n  - name: a\n    value: {VALUE}\n    scopes: [everything]\n", 4, "Invalid enum value 'everything'"),
        (f"keys:\n  - name: a\n    value: {VALUE}\n    environment: moon\n", 4, "it has development, production"),
        (f"keys:\n  - name: a\n    value: {VALUE}\n    budget: {{usd: 0}}\n", 4, "a budget lies above 0"),
        (f"keys:\n  - name: a\n    value: {VALUE}\n    budget: {{usd: 1, hard: false}}\n", 4, "budget is hard"),
        (f"keys:\n  - {{name: a, value: {VALUE}}}\n  - name: b\n    value: {VALUE}\n", 4, "value of another one"),
        (f"keys:\n  - name: a\n    value: {VALUE}\n    rmp: 5\n", 2, "unknown field `rmp`"),
    ],
)
def test_a_faulty_entry_is_refused_with_file_line_and_mend(file, text, line, words):
    with pytest.raises(UnableToConfigure) as caught:
        apply(file, text)

    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert words in str(caught.value)
    assert keys().count() == 0


def test_a_key_of_people_is_not_taken_over(file):
    noor = make_household("noor")
    with pytest.raises(UnableToConfigure, match="is not the file's"):
        apply(file, WHOLE.replace(VALUE, noor.key.value))

    assert [key.created_by for key in keys()] == ["brokle"]


def test_every_word_of_the_surface_is_an_entry_of_its_own():
    assert {"name", "value", "scopes", "rpm", "tpm", "budget", "models"} <= set(KeyEntry.__struct_fields__)
