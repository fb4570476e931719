"""A Portkey config, as JSON, as a configuration file of ours: one route with its providers."""

import re
from typing import Any, Final

from apps.routing.services.imported import Imported, UnableToImport, deadline, kind_of, missing_options, route_name

_MODES: Final = {"fallback": "fallback", "loadbalance": "weighted", "single": "fallback", "conditional": "fallback"}
_OPTIONS: Final = {
    "azure_resource_name": "resource",
    "azure_api_version": "api_version",
    "aws_region": "region",
    "vertex_project_id": "project",
    "vertex_region": "location",
}
_READ: Final = {"provider", "api_key", "virtual_key", "weight", "override_params", "custom_host", "retry", "cache"} | {
    *("request_timeout", "name", "strategy", "targets", "azure_deployment_id"),
    *_OPTIONS,
}
_ASKED: Final = re.compile(r"(metadata)\.[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_NOT_IN_VARIABLES: Final = re.compile(r"[^A-Z0-9]+")


def import_portkey(content: Any, *, name: str) -> Imported:
    if not isinstance(content, dict) or not ({"targets", "provider", "virtual_key"} & set(content)):
        raise UnableToImport("this is no Portkey config: it has no `targets`, `provider` or `virtual_key`")
    found = Imported()
    route: dict[str, Any] = {"name": route_name(name), "strategy": _strategy(found, content)}
    route |= _retries(found, content) | _cache(found, content)
    route["targets"] = _targets(found, content)
    if route["targets"]:
        found.routes.append(route)
    found.make_room()
    return found


def _strategy(found: Imported, content: dict[str, Any]) -> str:
    said = content.get("strategy") if isinstance(content.get("strategy"), dict) else {}
    mode = (said or {}).get("mode", "single")
    if mode not in _MODES:
        found.leave_out("strategy.mode", f"there is no `{mode}`; `fallback` is taken")
    if (said or {}).get("on_status_codes"):
        found.leave_out("strategy.on_status_codes", "a route goes on after errors that another target may mend")
    return _MODES.get(mode, "fallback")


def _targets(found: Imported, content: dict[str, Any]) -> list[dict[str, Any]]:
    shared = {name: value for name, value in content.items() if name not in {"targets", "strategy"}}
    listed = content.get("targets") if isinstance(content.get("targets"), list) else [{}]
    conditions = _conditions(found, content)
    targets = []
    for number, entry in enumerate(listed or [{}]):
        place = f"targets[{number}]"
        if not isinstance(entry, dict):
            found.leave_out(place, "it is no object")
            continue
        if "targets" in entry:
            found.leave_out(f"{place}.targets", "a target with targets of its own; make another route of it")
            continue
        for name in sorted({"retry", "cache"} & set(entry)):
            found.leave_out(f"{place}.{name}", "it stands at the whole route")
        target = _target(found, place, {**shared, **entry})
        if target is not None:
            when = conditions.get(entry.get("name", ""))
            targets.append(target | ({"when": when} if when else {}))
    return _ordered(content, targets)


def _target(found: Imported, place: str, said: dict[str, Any]) -> dict[str, Any] | None:
    override = said.get("override_params") if isinstance(said.get("override_params"), dict) else {}
    model = (override or {}).get("model") or said.get("azure_deployment_id")
    slug, _slash, rest = str(model or "").removeprefix("@").partition("/")
    named = said.get("provider") or (slug if str(model).startswith("@") else "") or said.get("virtual_key") or ""
    kind = kind_of(str(named).removeprefix("@"))
    if kind is None:
        found.leave_out(place, f"it does not say whose models they are: `{named}` is no provider of the catalogue")
        return None
    if not model:
        found.leave_out(place, "it names no model, so callers chose one: ask for `provider/model`, or add it here")
        return None
    options = {ours: str(said[theirs]) for theirs, ours in _OPTIONS.items() if said.get(theirs)}
    base_url = said.get("custom_host") or ""
    missing = missing_options(kind, base_url, options)
    if missing:
        found.leave_out(place, f"`{kind}` needs the option `{missing[0]}`; add it under `options` of a provider")
        return None
    provider = found.provider(kind, base_url=base_url, api_key=_key(found, place, said), options=options)
    _tell_unread(found, place, said, override or {})
    weight = said.get("weight")
    share = {"weight": max(1, round(weight * 100))} if isinstance(weight, int | float) and weight > 0 else {}
    named = f"{provider['name']}/{rest if str(model).startswith('@') else model}"
    return {"model": named, **share, **deadline(said.get("request_timeout"))}


def _key(found: Imported, place: str, said: dict[str, Any]) -> str | dict[str, str]:
    if isinstance(said.get("api_key"), str):
        return str(said["api_key"])
    virtual = str(said.get("virtual_key") or said.get("provider") or "key").removeprefix("@")
    variable = f"{_NOT_IN_VARIABLES.sub('_', virtual.upper()).strip('_')}_API_KEY"
    variable = variable if variable[0].isalpha() else f"KEY_{variable}"
    found.leave_out(f"{place}.virtual_key", f"Portkey keeps that key; put it into the environment as {variable}")
    return {"env": variable}


def _conditions(found: Imported, content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By the name of the target; what asks for more than equality is told."""
    strategy = content.get("strategy") if isinstance(content.get("strategy"), dict) else {}
    listed = (strategy or {}).get("conditions")
    result: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(listed if isinstance(listed, list) else []):
        when = _when(entry.get("query")) if isinstance(entry, dict) else None
        if when is None or entry.get("then") in result:
            found.leave_out(f"strategy.conditions[{number}]", "only equality and `$in` of metadata can be asked for")
        else:
            result[str(entry.get("then"))] = when
    return result


def _when(query: Any) -> dict[str, Any] | None:
    """None where a part of it cannot be said."""
    parts = query.get("$and", [query]) if isinstance(query, dict) else None
    when: dict[str, Any] = {}
    for part in parts if isinstance(parts, list) else []:
        for asked, said in part.items() if isinstance(part, dict) else ():
            value = said.get("$eq", said.get("$in")) if isinstance(said, dict) and len(said) == 1 else said
            if not _ASKED.fullmatch(asked) or not isinstance(value, str | int | float | bool | list) or asked in when:
                return None
            when[asked] = value
    return when or None


def _ordered(content: dict[str, Any], targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first whose conditions hold is taken, so those without any come last."""
    strategy = content.get("strategy")
    if isinstance(strategy, dict) and strategy.get("mode") == "conditional":
        return sorted(targets, key=lambda target: "when" not in target)
    return targets


def _retries(found: Imported, content: dict[str, Any]) -> dict[str, Any]:
    said = content.get("retry") if isinstance(content.get("retry"), dict) else {}
    attempts = (said or {}).get("attempts")
    if (said or {}).get("on_status_codes"):
        found.leave_out("retry.on_status_codes", "what may be mended by trying again is tried again")
    return {"retries": min(attempts, 10)} if isinstance(attempts, int) and attempts > 0 else {}


def _cache(found: Imported, content: dict[str, Any]) -> dict[str, Any]:
    said = content.get("cache") if isinstance(content.get("cache"), dict) else {}
    mode = {"simple": "exact", "semantic": "semantic"}.get(str((said or {}).get("mode")))
    if said and mode is None:
        found.leave_out("cache.mode", "it is neither `simple` nor `semantic`")
    if not said or mode is None:
        return {}
    age = said.get("max_age")
    return {"cache": {"mode": mode} | ({"ttl": int(age)} if isinstance(age, int | float) and age >= 1 else {})}


def _tell_unread(found: Imported, place: str, said: dict[str, Any], override: dict[str, Any]) -> None:
    for name in sorted(set(said) - _READ):
        found.leave_out(f"{place}.{name}", "there is nothing like it in the configuration file")
    for name in sorted(set(override) - {"model"}):
        found.leave_out(f"{place}.override_params.{name}", "a parameter of the call: let callers send it")
