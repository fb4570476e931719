"""The facts in `apps/routing/data`: providers that exist, and models with what they can and what they cost."""

from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

DATA: Final = Path(__file__).resolve().parent.parent / "data"

Dialect = Literal[
    "openai",
    "azure",
    "anthropic",
    "gemini",
    "vertex",
    "bedrock",
    "cohere",
    "mistral",
    "ollama",
    "huggingface",
    "replicate",
    "openai-compatible",
]
Mode = Literal[
    "chat",
    "completion",
    "embedding",
    "image",
    "transcription",
    "speech",
    "rerank",
    "moderation",
    "realtime",
    "video",
]
MODES: Final[tuple[str, ...]] = get_args(Mode)
GROUPS: Final = ("native", "hosted", "aggregators", "self_hosted")
Group = Literal["native", "hosted", "aggregators", "self_hosted"]


class ProviderFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`prices` names the provider in `genai-prices`; `seen` the public catalogues that give the same host.

    `is_picked_up`: a key found in `env` on first start makes it a provider of the default organization.
    """

    title: str
    base_url: str
    auth: str
    dialect: Dialect
    endpoints: tuple[str, ...]
    source: str
    checked: str
    env: str = ""
    is_picked_up: bool = True
    quirks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    prices: str = ""
    seen: tuple[str, ...] = ()

    @property
    def is_verified(self) -> bool:
        return bool(self.seen)

    @property
    def is_templated(self) -> bool:
        """Its address has places to fill in, such as a region."""
        return "{" in self.base_url


class ModelFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`usd` is dollars as exact text: for a million tokens or characters, else for one; `tiers` above so many tokens.

    `since` is when the provider brought the model out.
    """

    mode: Mode = "chat"
    context: int = 0
    max_output: int = 0
    capabilities: tuple[str, ...] = ()
    usd: dict[str, str] = {}
    tiers: tuple[dict[str, str | int], ...] = ()
    since: str = ""
    is_deprecated: bool = False
    source: str = "models.dev"


@lru_cache(maxsize=1)
def list_providers() -> dict[str, ProviderFacts]:
    """By name, the whole of the catalogue."""
    found: dict[str, ProviderFacts] = {}
    for group in GROUPS:
        found |= _group(group)
    return found


@lru_cache(maxsize=1)
def group_of() -> dict[str, Group]:
    return {name: group for group in GROUPS for name in _group(group)}


def find_provider(name: str) -> ProviderFacts | None:
    return list_providers().get(name)


@lru_cache(maxsize=1)
def names_by_alias() -> dict[str, str]:
    """What other gateways call a provider, and what it is called here."""
    return {alias: name for name, facts in list_providers().items() for alias in (*facts.aliases, name)}


def dialects() -> tuple[str, ...]:
    return get_args(Dialect)


def models_of(kind: str) -> dict[str, ModelFacts]:
    """A provider's models as our own data has them; none when it has none."""
    path = DATA / "models" / f"{kind}.json"
    if not path.is_file():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, ModelFacts])


def _group(group: Group) -> dict[str, ProviderFacts]:
    raw = (DATA / "providers" / f"{group}.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=dict[str, ProviderFacts])
