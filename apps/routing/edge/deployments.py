"""Azure OpenAI's addresses, for its SDKs: `/openai/deployments/{model}/…`, and OpenAI's own ones below `/openai`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from apps.routing.edge.calls import Switchboard
from apps.routing.edge.dialects.speech import Format
from brokle.edge.dispatch import Endpoint, Handler
from brokle.edge.http import Request
from brokle.kernel.errors import NotFound

PREFIX: Final = "/openai/deployments/"
_V1: Final = "/v1"
_OPENAI: Final = "/openai"
# What dated editions ask for without a deployment.
_UNDATED: Final = ("/v1/responses", "/v1/models")


class Deployments:
    """A model stands in the address. The edition (`api-version`) says nothing that concerns us."""

    def __init__(self, switchboard: Switchboard, formats: Mapping[str, Format]) -> None:
        """`formats` by their address at OpenAI."""
        self._switchboard = switchboard
        found = {path.removeprefix(_V1): spoken for path, spoken in formats.items()}
        self._formats = dict(sorted(found.items(), key=lambda pair: -len(pair[0])))

    async def answer(self, request: Request) -> None:
        path = next((path for path in self._formats if request.path.endswith(path)), "")
        model = request.path[len(PREFIX) : -len(path)] if path else ""
        if not model:
            known = ", ".join(path[1:] for path in self._formats)
            raise NotFound(f"The address is {PREFIX}{{model}}/ and one of {known}")
        await self._switchboard.answer(request, self._formats[path], model)


def twins(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The same answers below `/openai/v1`, and where dated editions look for what needs no deployment."""
    found = []
    for endpoint in endpoints:
        paths = [_OPENAI + endpoint.path]
        if endpoint.path.rstrip("/") in _UNDATED:
            paths.append(_OPENAI + endpoint.path.removeprefix(_V1))
        found += [replace(endpoint, path=path, handle=_moved(endpoint, path)) for path in paths]
    return found


def _moved(endpoint: Endpoint, path: str) -> Handler:
    async def handle(request: Request) -> None:
        request.path = endpoint.path + request.path[len(path) :]
        await endpoint.handle(request)

    return handle
