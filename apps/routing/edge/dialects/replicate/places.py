"""Where predictions are asked for: a model by its maker and name, by a version, or as somebody's deployment."""

import re
from typing import Final
from urllib.parse import quote

_VERSION: Final = re.compile(r"(?:[\w.-]+/[\w.-]+:)?([0-9a-f]{32,64})")
_NAME: Final = re.compile(r"(?:deployments/|(?!deployments/))(?!\.)[\w.-]+/(?!\.)[\w.-]+")
_DEPLOYED: Final = "deployments/"


def is_name(model: str) -> bool:
    """Whether there can be such a model; what is no name would be some other address."""
    return _VERSION.fullmatch(model) is not None or _NAME.fullmatch(model) is not None


def version_of(model: str) -> str:
    """Empty for a model that is asked for by its name, and so by its newest version."""
    found = _VERSION.fullmatch(model)
    return found[1] if found is not None else ""


def place_of(base_url: str, model: str) -> str:
    base = home_of(base_url)
    if version_of(model):
        return f"{base}/predictions"
    if model.startswith(_DEPLOYED):
        return f"{base}/{quote(model, safe='/')}/predictions"
    return f"{base}/models/{quote(model, safe='/')}/predictions"


def home_of(base_url: str) -> str:
    """Replicate's clients are given the address without the edition, others with it."""
    return base_url.rstrip("/").removesuffix("/v1") + "/v1"
