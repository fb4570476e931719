"""Providers and routes from the file: exact refusals, nothing half applied, nothing done twice."""

import msgspec
import pytest

from apps.orgs import facade as orgs
from apps.routing.edge.book import decode_book
from apps.routing.models import Credential, Owner, Provider, ProviderModel, Route, RouteVersion
from apps.routing.snapshot import compile_book, compile_books
from brokle.ground.configuration import UnableToConfigure, apply_configuration
from brokle.ground.models import AuditEntry, SnapshotChange

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

WHOLE = """
providers:
  - name: mock
    kind: openai-compatible
    base_url: https://models.example/v1
    api_keys: [{value: sk-first-0123456789, weight: 3}, {value: sk-second-0123456789}]
    models:
      - id: small
        context: 128000
        input_usd_per_mtok: 0.15
        output_usd_per_mtok: 0.60
        cache_read_usd_per_mtok: 0.075
      - {id: big, upstream: big-2026, input_usd_per_mtok: 3}
routes:
  - {name: fast, retries: 1, targets: [{model: mock/small, weight: 2}, {model: mock/big}]}
"""


@pytest.fixture
def file(tmp_path, settings):
    found = tmp_path / "brokle.yaml"
    settings.CONFIG = str(found)
    return found


def apply(file, text):
    file.write_text(text)
    apply_configuration()


def place():
    return orgs.ensure_default_project()


def providers():
    return Provider.objects.of(place().organization_id)


def test_the_file_becomes_the_default_projects_book(file):
    apply(file, WHOLE)
    book = decode_book(compile_book(place().project_id))

    [provider] = book.providers
    small, big = provider.models
    assert (provider.name, provider.base_url, provider.is_open) == ("mock", "https://models.example/v1", False)
    assert [credential.weight for credential in provider.credentials] == [3, 1]
    assert (small.name, small.upstream, small.context) == ("small", "small", 128000)
    assert (small.price.input, small.price.output, small.price.cache_read) == (150_000, 600_000, 75_000)
    assert (big.upstream, big.price.input, big.price.output) == ("big-2026", 3_000_000, 0)
    [route] = book.routes
    assert (route.name, route.strategy, route.retries) == ("fast", "fallback", 1)
    assert [(target.model, target.weight) for target in route.targets] == [("mock/small", 2), ("mock/big", 1)]
    assert [project for project, _ in compile_books()] == [place().project_id]


def test_keys_are_sealed_and_only_a_hint_is_readable(file):
    apply(file, WHOLE)
    rows = Credential.objects.of(place().organization_id).order_by("-weight")

    assert [row.hint for row in rows] == ["…6789", "…6789"]
    assert b"sk-first" not in bytes(rows[0].sealed)
    assert b"sk-first" not in compile_book(place().project_id)
    entries = AuditEntry.objects.filter(organization_id=place().organization_id)
    assert "sk-" not in str([(entry.before, entry.after) for entry in entries])


def test_a_second_time_changes_nothing(file):
    apply(file, WHOLE)
    rows = (list(ProviderModel.objects.across_organizations()), list(Credential.objects.across_organizations()))
    changes, entries = SnapshotChange.objects.count(), AuditEntry.objects.count()
    apply_configuration()

    again = (list(ProviderModel.objects.across_organizations()), list(Credential.objects.across_organizations()))
    assert again == rows
    assert (SnapshotChange.objects.count(), AuditEntry.objects.count()) == (changes, entries)


def test_a_changed_price_is_a_new_version_of_the_price(file):
    apply(file, WHOLE)
    before = {model.name: model.id for model in ProviderModel.objects.across_organizations()}
    apply(file, WHOLE.replace("0.15", "0.16"))
    after = {model.name: model.id for model in ProviderModel.objects.across_organizations()}

    assert after["small"] != before["small"]
    assert after["big"] == before["big"]


def test_what_the_file_no_longer_names_goes_and_what_people_made_stays(file):
    apply(file, WHOLE)
    by_hand = Provider.objects.create(
        organization_id=place().organization_id, name="hand", kind="openai-compatible", base_url="https://h.example/v1"
    )
    apply(file, "routes: []\n")

    assert list(providers()) == [by_hand]
    assert Route.objects.of(place().organization_id).count() == 0


def test_a_changed_route_is_a_new_version_and_the_former_one_is_kept(file):
    apply(file, WHOLE)
    apply(file, WHOLE.replace("retries: 1", "retries: 2"))
    [route] = Route.objects.of(place().organization_id)
    versions = RouteVersion.objects.of(place().organization_id).filter(route=route).order_by("number")

    assert (route.version, route.owner) == (2, Owner.FILE)
    assert [version.definition["retries"] for version in versions] == [1, 2]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("provider: []\n", 1, "unknown section `provider`; known are"),
        ("providers:\n  - name: a\n    kind: gorq\n", 3, "has no kind `gorq`; perhaps `groq`"),
        ("providers:\n  - {name: a, kind: groq}\n  - name: b\n    kind: azure\n", 3, "needs the option `resource`"),
        ("routes:\n  - name: r\n    targets: [{model: a, when: {color: red}}]\n", 2, "cannot ask for `color`"),
        ("routes:\n  - name: r\n    strategy: fastest\n    targets: [{model: a}]\n", 3, "Invalid enum value 'fastest'"),
        ("providers:\n  - name: a\n    kind: openai\n    modles: []\n", 2, "unknown field `modles`"),
        ("providers:\n  - name: A B\n    kind: openai\n", 2, "providers[0].name: Expected `str` matching regex"),
        ("routes:\n  - name: r\n    targets: []\n", 3, "routes[0].targets: Expected `array` of length >= 1"),
        ("routes:\n  - name: r\n    retries: many\n    targets: [{model: a/b}]\n", 3, "Expected `int`, got `str`"),
        ("routes:\n  - name: r\n    targets:\n      - {model: a/b, timeout_ms: 0}\n", 4, "Expected `int` >= 1"),
        (
            "routes:\n  - name: r\n    timeout_ms: 9\n    targets: [{model: a/b, timeout_ms: 10}]\n",
            2,
            "the `timeout_ms` of `a/b`, 10, is longer than the route's, 9",
        ),
        ("routes:\n  - {name: r\n", 3, "not valid YAML"),
        ("routes: []\nroutes: []\n", 2, "`routes` is given twice"),
        ("- providers\n", 1, "the file must be a mapping of sections"),
    ],
)
def test_a_faulty_file_is_refused_with_file_line_and_mend(file, text, line, words):
    file.write_text(text)
    with pytest.raises(UnableToConfigure) as caught:
        apply_configuration()

    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert words in str(caught.value)
    assert Provider.objects.across_organizations().count() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("providers: [{name: a, kind: openai-compatible}]", "provider `a` needs a `base_url`"),
        ("providers: [{name: a, kind: openai-compatible, base_url: 'ftp://x'}]", "provider `a`: "),
        (
            "providers: [{name: a, kind: openai, api_key: {env: NOT_SET_ANYWHERE}}]",
            "NOT_SET_ANYWHERE is empty or missing",
        ),
        ("providers: [{name: a, kind: openai}, {name: a, kind: openai}]", "`a` is named twice"),
        ("providers: [{name: a, kind: openai, models: [{id: m, input_usd_per_mtok: -1}]}]", "the price of `input`"),
    ],
)
def test_what_cannot_work_is_refused_whole(file, text, words):
    with pytest.raises(UnableToConfigure) as caught:
        apply(file, f"{text}\n")
    assert words in str(caught.value)
    assert Provider.objects.across_organizations().count() == 0


def test_without_a_file_nothing_happens(settings):
    settings.CONFIG = ""
    apply_configuration()
    assert Provider.objects.across_organizations().count() == 0


def test_a_missing_file_is_said(file):
    with pytest.raises(UnableToConfigure, match="cannot be read"):
        apply_configuration()


def test_the_book_an_older_process_reads_may_be_longer_than_it_knows():
    raw = msgspec.msgpack.encode(["prj_1", [], [], [], False, "something newer"])
    assert decode_book(raw).project_id == "prj_1"
