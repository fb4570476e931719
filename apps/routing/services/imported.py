"""What an import makes: a configuration file of ours, and what could not be carried over and why."""

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from apps.routing.selectors.catalogue import find_provider, models_of, names_by_alias
from apps.routing.services.definitions import LONGEST_TIMEOUT_MS, USUAL_TIMEOUT_MS

_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9._-]+")
_ROUTE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,119}")
_PLACE: Final = re.compile(r"\{(\w+)\}")
# Whose models go by their bare names, asked in this order.
_WELL_KNOWN: Final = ("openai", "anthropic", "gemini", "mistral", "cohere", "deepseek", "xai")

Secret = str | dict[str, str]


class UnableToImport(Exception):
    """One line that says what is wrong with the file."""


@dataclass(slots=True)
class Imported:
    providers: list[dict[str, Any]] = field(default_factory=list)
    routes: list[dict[str, Any]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, place: str, why: str) -> None:
        line = f"{place}: {why}"
        if line not in self.left_out:
            self.left_out.append(line)

    def text(self) -> str:
        """The file, with what is missing on top, where whoever opens it reads it first."""
        sections = {"providers": self.providers, "routes": self.routes, "keys": self.keys}
        body = yaml.safe_dump(
            {name: rows for name, rows in sections.items() if rows}, sort_keys=False, allow_unicode=True, width=100
        )
        missing = "".join(f"# - {line}\n" for line in self.left_out)
        head = f"# Not carried over:\n{missing}\n" if missing else ""
        return head + (body if any(sections.values()) else "providers: []\n")

    def make_room(self) -> None:
        """The deadline of a route is at least as long as that of each of its targets."""
        for route in self.routes:
            longest = max(target.get("timeout_ms", 0) for target in route["targets"])
            if longest > route.get("timeout_ms", USUAL_TIMEOUT_MS):
                route["timeout_ms"] = longest

    def provider(
        self, kind: str, *, base_url: str = "", api_key: Secret = "", options: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The entry for exactly this address and key, made where there is none yet."""
        base_url = _completed(kind, base_url)
        wanted: dict[str, Any] = {"kind": kind}
        wanted |= {"base_url": base_url} if base_url else {}
        wanted |= {"api_key": api_key} if api_key else {}
        wanted |= {"options": options} if options else {}
        for entry in self.providers:
            if {name: entry[name] for name in entry if name not in {"name", "models", "open"}} == wanted:
                return entry
        entry = {"name": self._free_name(kind), **wanted}
        self.providers.append(entry)
        return entry

    def _free_name(self, kind: str) -> str:
        taken = {entry["name"] for entry in self.providers}
        count = sum(entry["kind"] == kind for entry in self.providers) + 1
        name = kind if count == 1 else f"{kind}-{count}"
        return name if name not in taken else f"{name}-x"


def deadline(milliseconds: Any) -> dict[str, int]:
    """As a route or a target says it; empty where it is none."""
    is_number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    return {"timeout_ms": round(milliseconds)} if is_number and 1 <= milliseconds <= LONGEST_TIMEOUT_MS else {}


def kind_of(name: str) -> str | None:
    """What another gateway calls a provider, by its name in our catalogue."""
    return names_by_alias().get(name) or names_by_alias().get(name.lower().replace("_", "-"))


def kind_of_model(model: str) -> str | None:
    """Whose model goes by this bare name."""
    return next((kind for kind in _WELL_KNOWN if model in models_of(kind)), None)


def missing_options(kind: str, base_url: str, options: dict[str, str]) -> list[str]:
    facts = find_provider(kind)
    address = base_url or (facts.base_url if facts else "")
    return [place for place in _PLACE.findall(address) if place not in options]


def is_route_name(name: str) -> bool:
    return _ROUTE_NAME.fullmatch(name) is not None


def route_name(text: str) -> str:
    """The nearest name that a route may have."""
    return _NOT_IN_NAMES.sub("-", text.lower()).strip("-.") or "imported"


def _completed(kind: str, base_url: str) -> str:
    """Others add a provider's path by themselves, such as `/v1`; an address that has none gets the catalogue's."""
    facts = find_provider(kind)
    if not base_url or facts is None or urlsplit(base_url).path.strip("/"):
        return base_url.rstrip("/")
    return base_url.rstrip("/") + urlsplit(facts.base_url).path
