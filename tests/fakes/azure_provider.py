"""A small Azure OpenAI resource: deployments by address, editions, keys and Entra's tokens, filters of content.

Addresses are those that OpenAI's own SDK for Azure asks for; the filters have the form of Azure's documentation.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes import responses_provider
from tests.fakes.model_provider import ONE_SHOT, USAGE, WORDS, Call, Handler, Provider, served

KEY = "0123456789abcdef0123456789abcdef"
TENANT, CLIENT, SECRET = "tenant-1", "client-1", "very~secret"
TOKEN = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJhenVyZSJ9."
MODEL = "gpt-4o-2024-11-20"
SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
FILTERED = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {**SAFE, "violence": {"filtered": True, "severity": "medium"}},
    },
}
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_DEPLOYED = re.compile(r"/openai/deployments/([^/]+)(/.+)")


class _Handler(Handler):
    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        if self.path.startswith(f"/{TENANT}/oauth2/v2.0/token"):
            self._grant()
        else:
            super().do_POST()

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Answers are kept, and none is."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(f"{self.command} {self.path}", headers, {}, b"")
        self.provider.calls.append(call)
        if not self.path.startswith("/openai/v1/responses/"):
            refused = _said(404, {"code": "404", "message": "Resource not found"})
        else:
            refused = _said(404, {"code": None, "message": "Response not found.", "type": "invalid_request_error"})
        refused(self, call)

    do_DELETE = do_GET  # noqa: N815 - http.server's name

    def _grant(self) -> None:
        raw = self.everything()
        form = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
        self.provider.calls.append(Call(self.path, {}, form, raw))
        expected = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": "https://cognitiveservices.azure.com/.default",
        }
        if form != expected:
            refused = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret"}
            self.answer(401, json.dumps(refused).encode())
            return
        self.answer(200, json.dumps({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}).encode())

    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        if call.headers.get("api-key") != KEY and call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _said(401, {"code": "401", "message": "Access denied due to invalid subscription key."})
        address = urlsplit(call.path)
        edition = parse_qs(address.query).get("api-version", [""])[0]
        found = _DEPLOYED.fullmatch(address.path)
        if found is not None and _DATED.fullmatch(edition):
            return self._deployed(unquote(found[1]), found[2])
        if address.path.startswith("/openai/v1/") and edition in {"", "preview", "latest"}:
            return self._deployed(call.body["model"], address.path.removeprefix("/openai/v1"))
        return _said(404, {"code": "404", "message": "Resource not found"})

    def _deployed(self, deployment: str, path: str) -> Callable[[Handler, Call], None]:
        if deployment not in DEPLOYMENTS:
            words = "The API deployment for this resource does not exist."
            return _said(404, {"code": "DeploymentNotFound", "message": words})
        if deployment == "strict":
            return _said(400, FILTERED)
        if path == "/responses":
            return _respond
        return ONE_SHOT.get(path) or _answer


def _said(status: int, error: dict[str, Any]) -> Callable[[Handler, Call], None]:
    return lambda handler, _: handler.answer(status, json.dumps({"error": error}).encode())


def _answer(handler: Handler, call: Call) -> None:
    head = {"id": "chatcmpl-az", "created": 1, "model": MODEL, "system_fingerprint": "fp_1"}
    prompt = [{"prompt_index": 0, "content_filter_results": SAFE}]
    if not call.body.get("stream"):
        message = {"role": "assistant", "content": "".join(WORDS)}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "content_filter_results": SAFE}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": USAGE}
        handler.answer(200, json.dumps({**whole, "prompt_filter_results": prompt}).encode())
        return
    handler.begin_stream()
    first = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": prompt}
    chunks = [first, *_chunks({**head, "object": "chat.completion.chunk"})]
    for chunk in chunks:
        handler.piece(call, b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n")
    handler.piece(call, b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def _chunks(head: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for word in WORDS:
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None, "content_filter_results": SAFE}
        yield {**head, "choices": [choice], "usage": None}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None}
    yield {**head, "choices": [], "usage": USAGE}


def _respond(handler: Handler, call: Call) -> None:
    found = responses_provider.answer(call, 7)
    if not call.body.get("stream"):
        handler.answer(200, json.dumps(found).encode())
        return
    handler.begin_stream()
    for piece in responses_provider.stream(found):
        handler.piece(call, piece)
    handler.wfile.write(b"0\r\n\r\n")


DEPLOYMENTS = ("my-gpt", "strict")


@contextmanager
def azure_provider() -> Iterator[Provider]:
    with served(_Handler) as found:
        yield found
