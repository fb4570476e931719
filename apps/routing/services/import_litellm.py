"""LiteLLM's `config.yaml` as a configuration file of ours."""

from decimal import Decimal
from typing import Any, Final

from apps.routing.services.imported import (
    Imported,
    Secret,
    UnableToImport,
    deadline,
    is_route_name,
    kind_of,
    kind_of_model,
    missing_options,
)

_ENVIRONMENT: Final = "os.environ/"
_STRATEGIES: Final = {
    "simple-shuffle": "weighted",
    "least-busy": "busy",
    "latency-based-routing": "latency",
    "usage-based-routing": "usage",
    "usage-based-routing-v2": "usage",
    "cost-based-routing": "cost",
}
_OPTIONS: Final = {
    "api_version": "api_version",
    "aws_region_name": "region",
    "region_name": "region",
    "vertex_project": "project",
    "vertex_location": "location",
}
_PRICES: Final = {
    "input_cost_per_token": "input_usd_per_mtok",
    "output_cost_per_token": "output_usd_per_mtok",
    "cache_read_input_token_cost": "cache_read_usd_per_mtok",
    "cache_creation_input_token_cost": "cache_write_5m_usd_per_mtok",
}
_READ: Final = {
    "model",
    "api_key",
    "api_base",
    "base_url",
    "weight",
    "order",
    "timeout",
    "stream_timeout",
    "max_retries",
    *_OPTIONS,
    *_PRICES,
}
_RATES: Final = {"rpm", "tpm", "max_parallel_requests"}
_SETTINGS: Final = {"fallbacks", "num_retries", "request_timeout", "cache", "cache_params"}
_ROUTER: Final = {"routing_strategy", "num_retries", "timeout", "fallbacks", "model_group_alias"}
_BUILT_IN: Final = {
    "drop_params",
    "redis_host",
    "redis_port",
    "redis_password",
    "redis_url",
    "set_verbose",
    "json_logs",
}


def import_litellm(content: Any) -> Imported:
    if not isinstance(content, dict) or not isinstance(content.get("model_list"), list):
        raise UnableToImport("this is no LiteLLM configuration: it has no `model_list`")
    found = Imported()
    groups = _groups(content["model_list"], found)
    settings, router = _section(content, "litellm_settings"), _section(content, "router_settings")
    for group, deployments in groups.items():
        _add_route(found, group, deployments, settings, router)
    _add_fallbacks(found, groups, [*_list(settings, "fallbacks"), *_list(router, "fallbacks")])
    found.make_room()
    _add_aliases(found, router.get("model_group_alias") or {})
    _add_master_key(found, _section(content, "general_settings"))
    _tell_the_rest(found, content, settings, router)
    return found


def _groups(model_list: list[Any], found: Imported) -> dict[str, list[dict[str, Any]]]:
    """Deployments by the name that callers ask for, each as a target with what a route may take from it."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for number, entry in enumerate(model_list):
        place = f"model_list[{number}]"
        parameters = _section(entry, "litellm_params") if isinstance(entry, dict) else {}
        name = entry.get("model_name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(parameters.get("model"), str):
            found.leave_out(place, "it has no `model_name` or no `litellm_params.model`")
            continue
        target = _target(found, place, parameters, _section(entry, "model_info"))
        if target is not None:
            groups.setdefault(name, []).append(target)
    return groups


def _target(found: Imported, place: str, parameters: dict[str, Any], about: dict[str, Any]) -> dict[str, Any] | None:
    prefix, slash, rest = parameters["model"].partition("/")
    kind = kind_of(prefix) if slash else kind_of_model(parameters["model"])
    model = rest if slash and kind else parameters["model"]
    base_url = _plain(found, f"{place}.api_base", parameters.get("api_base") or parameters.get("base_url"))
    if kind is None:
        found.leave_out(place, f"the catalogue knows no provider for `{parameters['model']}`")
        return None
    options = {ours: str(parameters[theirs]) for theirs, ours in _OPTIONS.items() if parameters.get(theirs)}
    missing = missing_options(kind, base_url, options)
    if missing:
        found.leave_out(place, f"`{kind}` needs the option `{missing[0]}`; add it under `options` of a provider")
        return None
    secret = _secret(parameters.get("api_key"))
    provider = found.provider(kind, base_url=base_url, api_key=secret, options=options)
    if not model or "*" in model:
        found.leave_out(place, f"no route for a pattern: ask for `{provider['name']}/<model>` instead")
        return None
    _add_price(provider, model, {**about, **parameters})
    _tell_unread(found, f"{place}.litellm_params", parameters)
    return {"model": f"{provider['name']}/{model}", "parameters": parameters}


def _add_price(provider: dict[str, Any], model: str, said: dict[str, Any]) -> None:
    """A provider with models of its own stays open, for the others."""
    prices = {
        ours: float(Decimal(str(said[theirs])) * 1_000_000) for theirs, ours in _PRICES.items() if said.get(theirs)
    }
    if not prices:
        return
    models = provider.setdefault("models", [])
    provider["open"] = True
    if model not in {entry["id"] for entry in models}:
        models.append({"id": model, **prices})


def _add_route(
    found: Imported,
    group: str,
    deployments: list[dict[str, Any]],
    settings: dict[str, Any],
    router: dict[str, Any],
) -> None:
    if not is_route_name(group):
        if group not in {target["model"] for target in deployments}:
            found.leave_out(f"model_name `{group}`", f"no name of a route; ask for `{deployments[0]['model']}` instead")
        return
    route: dict[str, Any] = {"name": group, "strategy": _strategy(found, deployments, router)}
    retries = router.get("num_retries", settings.get("num_retries"))
    if isinstance(retries, int) and retries > 0:
        route["retries"] = min(retries, 10)
    route |= _deadline(router.get("timeout") or settings.get("request_timeout"))
    cache = _cache(found, settings)
    if cache:
        route["cache"] = cache
    ordered = sorted(deployments, key=lambda one: one["parameters"].get("order") or 0)
    route["targets"] = [_weighed(one) for one in ordered]
    found.routes.append(route)


def _strategy(found: Imported, deployments: list[dict[str, Any]], router: dict[str, Any]) -> str:
    if any(one["parameters"].get("order") for one in deployments) or len(deployments) == 1:
        return "fallback"
    named = router.get("routing_strategy", "simple-shuffle")
    if named not in _STRATEGIES:
        found.leave_out("router_settings.routing_strategy", f"there is no strategy `{named}`; `weighted` is taken")
    return _STRATEGIES.get(named, "weighted")


def _weighed(one: dict[str, Any]) -> dict[str, Any]:
    """LiteLLM shares by `weight`, else by `rpm`, else by `tpm`."""
    said = next((one["parameters"][name] for name in ("weight", "rpm") if one["parameters"].get(name)), None)
    weight = min(int(said), 10_000) if isinstance(said, int | float) and said >= 1 else None
    return (
        {"model": one["model"]} | ({"weight": weight} if weight else {}) | _deadline(one["parameters"].get("timeout"))
    )


def _deadline(seconds: Any) -> dict[str, int]:
    return deadline(seconds * 1000) if isinstance(seconds, int | float) else {}


def _cache(found: Imported, settings: dict[str, Any]) -> dict[str, Any]:
    if settings.get("cache") is not True:
        return {}
    said = _section(settings, "cache_params")
    kind = str(said.get("type", "local"))
    cache: dict[str, Any] = {"mode": "semantic" if "semantic" in kind else "exact"}
    ttl, threshold = said.get("ttl"), said.get("similarity_threshold")
    cache |= {"ttl": int(ttl)} if isinstance(ttl, int | float) and ttl >= 1 else {}
    if cache["mode"] == "semantic" and isinstance(threshold, int | float):
        cache["threshold"] = float(threshold)
    for name in sorted(set(said) - {"type", "ttl", "similarity_threshold", "host", "port", "password", "url"}):
        found.leave_out(f"litellm_settings.cache_params.{name}", "answers are kept in Brokle's own Redis")
    return cache


def _add_fallbacks(found: Imported, groups: dict[str, list[dict[str, Any]]], said: list[Any]) -> None:
    """The other group's targets come last: with no weight of their own where weights decide."""
    routes = {route["name"]: route for route in found.routes}
    for entry in said:
        for group, others in entry.items() if isinstance(entry, dict) else ():
            route = routes.get(group)
            if route is None:
                found.leave_out(f"fallbacks of `{group}`", "there is no route of this name")
                continue
            for other in others if isinstance(others, list) else [others]:
                if other not in groups:
                    found.leave_out(f"fallbacks of `{group}`", f"there is no model group `{other}`")
                _append(route, groups.get(other, []))


def _append(route: dict[str, Any], targets: list[dict[str, Any]]) -> None:
    known = {target["model"] for target in route["targets"]}
    last = {} if route["strategy"] == "fallback" else {"weight": 0}
    route["targets"] += [
        {"model": one["model"], **last, **_deadline(one["parameters"].get("timeout"))}
        for one in targets
        if one["model"] not in known
    ]


def _add_aliases(found: Imported, aliases: Any) -> None:
    routes = {route["name"]: route for route in found.routes}
    for alias, said in aliases.items() if isinstance(aliases, dict) else ():
        group = said.get("model") if isinstance(said, dict) else said
        if group in routes and is_route_name(alias) and alias not in routes:
            found.routes.append({**routes[group], "name": alias})
        else:
            found.leave_out(f"router_settings.model_group_alias.{alias}", "it leads to no route")


def _add_master_key(found: Imported, general: dict[str, Any]) -> None:
    secret = _secret(general.get("master_key"))
    if isinstance(secret, dict):
        found.keys.append({"name": "master", "value": secret})
        found.leave_out(
            "general_settings.master_key",
            f"taken over from {secret['env']}, whose value has to start with bk_ and have 24 characters or more",
        )
    elif secret.startswith("bk_") and len(secret) >= 24:
        found.keys.append({"name": "master", "value": secret})
    elif secret:
        found.leave_out("general_settings.master_key", "a key starts with bk_ here; make one with `brokle keys create`")
    for name in sorted(set(general) - {"master_key"}):
        found.leave_out(f"general_settings.{name}", "a setting of LiteLLM's own server")


def _tell_the_rest(found: Imported, content: dict[str, Any], settings: dict[str, Any], router: dict[str, Any]) -> None:
    for name in sorted(set(settings) - _SETTINGS - _BUILT_IN):
        found.leave_out(f"litellm_settings.{name}", "there is nothing like it in the configuration file")
    for name in sorted(set(router) - _ROUTER - _BUILT_IN):
        found.leave_out(f"router_settings.{name}", "there is nothing like it in the configuration file")
    known = {"model_list", "litellm_settings", "router_settings", "general_settings"}
    for name in sorted(set(content) - known):
        found.leave_out(name, "there is nothing like it in the configuration file")


def _tell_unread(found: Imported, place: str, parameters: dict[str, Any]) -> None:
    for name in sorted(set(parameters) & _RATES):
        found.leave_out(f"{place}.{name}", "no rate of one target here; see `limits:` with `per: model`")
    if "stream_timeout" in parameters:
        found.leave_out(f"{place}.stream_timeout", "a target has one `timeout_ms`, of streams and of whole answers")
    for name in sorted(set(parameters) - _READ - _RATES):
        found.leave_out(f"{place}.{name}", "a parameter of the call: let callers send it")


def _secret(value: Any) -> Secret:
    if not isinstance(value, str):
        return ""
    return {"env": value.removeprefix(_ENVIRONMENT)} if value.startswith(_ENVIRONMENT) else value


def _plain(found: Imported, place: str, value: Any) -> str:
    if isinstance(value, str) and value.startswith(_ENVIRONMENT):
        found.leave_out(place, f"an address cannot come from {value}; write it into `base_url`")
        return ""
    return value if isinstance(value, str) else ""


def _section(content: Any, name: str) -> dict[str, Any]:
    found = content.get(name) if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _list(content: dict[str, Any], name: str) -> list[Any]:
    found = content.get(name)
    return found if isinstance(found, list) else []
