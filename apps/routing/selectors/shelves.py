"""The catalogue put together: our own data and `genai-prices`, as one shelf of models for each kind of provider."""

import hashlib
from collections.abc import Collection, Iterator
from datetime import datetime
from importlib.metadata import version as version_of
from typing import Any, Final

import msgspec

from apps.routing.edge.book import ModelRecord
from apps.routing.edge.catalogue import CatalogueRecord, Clause, Rule, Shelf, encode_catalogue, encode_shelf
from apps.routing.edge.prices import FREE
from apps.routing.selectors.catalogue import DATA, GROUPS, ModelFacts, list_providers, models_of
from apps.routing.selectors.price_list import GENAI, clause_of, price_of_genai, price_of_usd, versioned

_UNKNOWN: Final = ModelFacts()


def source_of(now: datetime) -> str:
    """What the catalogue is made of, cheaply: the same answer means the same catalogue."""
    digest = hashlib.sha256()
    for path in sorted((DATA / "models").glob("*.json")) + [DATA / "providers" / f"{group}.yaml" for group in GROUPS]:
        digest.update(path.read_bytes())
    return f"{version_of('genai-prices')} {now.date()} {digest.hexdigest()[:16]}"


def build_shelves(now: datetime, only: Collection[str] = ()) -> dict[str, Shelf]:
    """Where both know a price, the one of `genai-prices` counts: it has its own keepers and its own tests."""
    listed = _listed()
    # Several kinds may share a price list; the first of them stands for all.
    kinds = {facts.prices: name for name, facts in reversed(list_providers().items()) if facts.prices}
    found = {}
    for kind, facts in list_providers().items():
        if only and kind not in only:
            continue
        source = listed.get(facts.prices)
        shelf = _shelf(kind, source, listed, now)
        if shelf.models or shelf.rules:
            fallbacks = [
                kinds[name] for name in getattr(source, "fallback_model_providers", None) or [] if name in kinds
            ]
            found[kind] = msgspec.structs.replace(shelf, fallbacks=fallbacks)
    return found


def encode_shelves(shelves: dict[str, Shelf]) -> tuple[str, bytes]:
    """The version, named by the content, and the bytes for the edge."""
    packed = {kind: encode_shelf(shelf) for kind, shelf in sorted(shelves.items())}
    digest = hashlib.sha256()
    for kind, shelf in sorted(shelves.items()):
        digest.update(kind.encode() + msgspec.msgpack.encode(shelf))
    version = f"ctl_{digest.hexdigest()[:16]}"
    return version, encode_catalogue(CatalogueRecord(version, packed))


def entries_of(shelves: dict[str, Shelf]) -> Iterator[tuple[str, ModelRecord, ModelFacts]]:
    """Every model with its kind of provider and what our own data says of it."""
    for kind, shelf in shelves.items():
        facts = models_of(kind)
        for name, record in shelf.models.items():
            yield kind, record, facts.get(name, _UNKNOWN)


def _shelf(kind: str, source: Any, listed: dict[str, Any], now: datetime) -> Shelf:
    own = models_of(kind)
    known = {model.id: (clause_of(model.match), model) for model in source.models} if source else {}
    rules = [
        Rule(clause, _record(kind, name, own.get(name, _UNKNOWN), model, now))
        for name, (clause, model) in known.items()
    ]
    models = {rule.model.name: rule.model for rule in rules}
    for name, facts in own.items():
        model = _matching(name, known, source, listed)
        models[name] = _record(kind, name, facts, model, now)
    return Shelf(models, rules)


def _matching(name: str, known: dict[str, tuple[Clause, Any]], source: Any, listed: dict[str, Any]) -> Any:
    if source is None:
        return None
    if name in known:
        return known[name][1]
    return source.find_model(name, all_providers=list(listed.values()))


def _record(kind: str, name: str, facts: ModelFacts, model: Any, now: datetime) -> ModelRecord:
    price = FREE
    if model is not None and model.prices:
        price = versioned(price_of_genai(model, now), kind, name, GENAI)
    elif facts.usd:
        price = versioned(price_of_usd(facts.usd, tiers=facts.tiers), kind, name)
    context = facts.context or (getattr(model, "context_window", None) or 0)
    fields: dict[str, Any] = {"max_output": facts.max_output, "mode": facts.mode}
    fields["capabilities"] = list(facts.capabilities)
    return ModelRecord(name, name, price, context, **fields)


def _listed() -> dict[str, Any]:
    """Here and not above: only the worker that builds the catalogue pays for the import."""
    from genai_prices.data import providers

    return {provider.id: provider for provider in providers}
