from datetime import UTC, datetime

import pytest
from genai_prices.data import providers

from apps.routing.edge.catalogue import KIND, OBJECT, Catalogue, Catalogues
from apps.routing.edge.usage import Usage
from apps.routing.models import CatalogueModel, CatalogueProvider, CatalogueVersion, ListPrice
from apps.routing.selectors.catalogue import list_providers
from apps.routing.selectors.shelves import build_shelves, encode_shelves
from apps.routing.services.catalogue import refresh_catalogue
from apps.routing.snapshot import compile_catalogue, compile_catalogues
from apps.routing.testing import put_small_catalogue
from brokle.edge.snapshot import Snapshot
from brokle.ground.models import SnapshotChange

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def shelves():
    return build_shelves(NOW)


@pytest.fixture(scope="module")
def catalogue(shelves):
    return Catalogue.of(encode_shelves(shelves)[1])


def test_two_thousand_models_and_more_are_priced(shelves):
    priced = [model for shelf in shelves.values() for model in shelf.models.values() if model.price.is_known]

    assert len(priced) >= 9000
    assert all(model.price.version.startswith(("lp_", "gp_")) for model in priced)


def test_one_object_of_half_a_megabyte_holds_them_all(shelves):
    version, raw = encode_shelves(shelves)

    assert len(raw) < 600_000
    assert encode_shelves(build_shelves(NOW)) == (version, raw)


def test_a_model_is_found_by_its_kind_and_name(catalogue):
    found = catalogue.find("openai", "gpt-4o")

    assert (found.price.input, found.price.output, found.context) == (2_500_000, 10_000_000, 128_000)
    assert found.price.cost_nanos(Usage(input=1000, output=100)) == 3_500_000
    assert "tools" in found.capabilities
    assert catalogue.find("openai", "gpt-4o") is found


def test_a_dated_name_is_found_by_rule_and_keeps_the_name_that_was_asked_for(catalogue):
    plain, dated = catalogue.find("openai", "gpt-4o-mini"), catalogue.find("openai", "GPT-4o-mini-2024-07-18")

    assert (dated.name, dated.upstream) == ("GPT-4o-mini-2024-07-18", "GPT-4o-mini-2024-07-18")
    assert dated.price.input == plain.price.input


def test_what_nobody_lists_is_not_found(catalogue):
    assert catalogue.find("openai", "no-such-model") is None
    assert catalogue.find("no-such-kind", "gpt-4o") is None
    assert catalogue.find("openai", "x" * 201) is None


def test_azure_sells_the_models_of_others_at_their_prices(catalogue):
    assert catalogue.find("azure", "claude-sonnet-4-5").price.input == 3_000_000


def test_names_are_found_as_genai_prices_finds_them(catalogue):
    """The judge matches by its own code; every name of its lists, with and without a date behind it."""
    kinds = {facts.prices: name for name, facts in reversed(list_providers().items()) if facts.prices}
    judged = 0
    for provider in providers:
        for name in [m.id + tail for m in provider.models for tail in ("", "-20260115")]:
            expected = provider.find_model(name, all_providers=list(providers))
            found = catalogue.find(kinds[provider.id], name) if provider.id in kinds else None
            if provider.id not in kinds or (found is not None and found.price.is_known and expected is None):
                continue
            judged += 1
            assert (found is None or not found.price.is_known) == (expected is None or not expected.prices), (
                provider.id,
                name,
            )
    assert judged > 4000


def test_it_remembers_a_bounded_number_of_names(catalogue):
    for number in range(10_000):
        catalogue.find("openai", f"nothing-{number}")

    assert len(catalogue._found) <= 4096


@pytest.mark.django_db
def test_refreshing_puts_it_in_force_once():
    assert refresh_catalogue(clock=lambda: NOW)
    assert not refresh_catalogue(clock=lambda: NOW)

    assert CatalogueVersion.objects.count() == 1
    assert CatalogueProvider.objects.count() == len(list_providers())
    assert CatalogueModel.objects.count() >= 10_000
    assert ListPrice.objects.count() >= 9000
    assert [(c.kind, c.object_id) for c in SnapshotChange.objects.all()] == [(KIND, OBJECT)]
    small = CatalogueModel.objects.get(provider="openai", name="gpt-4o-mini")
    assert (small.prices["input"], small.prices["output"], small.source) == ("0.15", "0.6", "genai-prices")
    assert ListPrice.objects.get(version=small.price_version).model == "gpt-4o-mini"


@pytest.mark.django_db
def test_rows_keep_their_ids_and_prices_their_history():
    put_small_catalogue()
    model = CatalogueModel.objects.get(provider="openai", name="gpt-4o-mini")
    CatalogueVersion.objects.update(source="an older release", version="ctl_old")
    CatalogueModel.objects.create(provider="openai", name="gone", mode="chat", source="models.dev")
    former = ListPrice.objects.create(version="lp_former", provider="openai", model="gone", prices={}, exact=[])

    put_small_catalogue()
    assert CatalogueVersion.objects.order_by("-id")[0].version != "ctl_old"
    assert CatalogueModel.objects.get(provider="openai", name="gpt-4o-mini").id == model.id
    assert not CatalogueModel.objects.filter(name="gone").exists()
    assert ListPrice.objects.filter(id=former.id).exists()


@pytest.mark.django_db
def test_the_edge_reads_what_is_in_force():
    class Runtime:
        snapshot = Snapshot()

    catalogues = Catalogues(Runtime())
    assert compile_catalogue(OBJECT) is None
    assert list(compile_catalogues()) == []
    assert catalogues.find("openai", "gpt-4o") is None

    put_small_catalogue()
    for object_id, raw in compile_catalogues():
        Runtime.snapshot.apply(KIND, object_id, raw)
    assert catalogues.find("openai", "gpt-4o").price.input == 2_500_000
