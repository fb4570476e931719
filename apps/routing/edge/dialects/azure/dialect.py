"""Azure OpenAI: OpenAI's own words, at the address of a resource, where a model is a deployment."""

import re
from typing import Final
from urllib.parse import quote, urlsplit

from apps.routing.edge.dialects.auth import key_headers
from apps.routing.edge.dialects.azure.entra import find_application
from apps.routing.edge.dialects.openai.dialect import FORMATS, PATHS, OpenAI
from apps.routing.edge.dialects.signing import Signer
from apps.routing.edge.dialects.tokens import Tokens
from brokle.edge.egress import EgressClient

DATED: Final = "2024-10-21"
"""The edition that is asked for where none is named, the last of those that Azure calls stable."""
_V1: Final = "v1"
_RESPONSES: Final = "responses"
_NOT_THERE: Final = frozenset({"openai.moderations", "openai.rerank"})
_TOKEN: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


class Azure(OpenAI):
    def __init__(self, name: str, title: str) -> None:
        super().__init__(name, title, FORMATS - _NOT_THERE)

    def address(self, base_url: str, operation: str, model: str, options: dict[str, str], *, is_stream: bool) -> str:
        """Responses stand in the form without dates, whatever edition the rest is asked in."""
        base, edition = place_of(base_url, options)
        if operation == _RESPONSES and is_dated(edition):
            edition = _V1
        if is_dated(edition):
            return f"{base}/deployments/{quote(model, safe='')}{PATHS[operation]}?api-version={edition}"
        return f"{base}/v1{PATHS[operation]}" + ("" if edition == _V1 else f"?api-version={edition}")

    def headers(self, secret: str, options: dict[str, str]) -> dict[str, str]:
        if find_application(secret) is not None:
            return {}
        return key_headers("bearer" if is_token(secret) else options.get("auth") or "api-key", secret)

    def signer(self, secret: str, options: dict[str, str], egress: EgressClient) -> Signer | None:
        application = find_application(secret)
        return None if application is None else Tokens(application, egress)


def place_of(base_url: str, options: dict[str, str]) -> tuple[str, str]:
    """The address up to `/openai`, and the edition: a date, or `v1`, `preview` or `latest` of the form without one."""
    base = base_url.rstrip("/").removesuffix("/v1")
    named = _V1 if base != base_url.rstrip("/") else DATED
    if not urlsplit(base).path:
        base += "/openai"
    return base, options.get("api_version") or named


def is_dated(edition: str) -> bool:
    return edition[:1].isdigit()


def is_token(secret: str) -> bool:
    """Entra's tokens have a form; Azure's keys are letters and digits."""
    return _TOKEN.fullmatch(secret) is not None
