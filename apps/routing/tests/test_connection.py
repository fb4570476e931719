import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.orgs.testing import make_household
from apps.routing.services.connection import check_connection
from apps.routing.services.credentials import add_credential
from apps.routing.services.providers import create_provider
from brokle.edge.egress.door import Door
from brokle.edge.egress.policy import Policy
from brokle.ground.services import SYSTEM
from brokle.kernel.errors import Conflict, Invalid

TOKEN = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJhIn0."
pytestmark = [pytest.mark.engines, pytest.mark.django_db]
SECRET = "sk-very-secret-value-1234"


@contextmanager
def answering(status, body, content_type="application/json"):
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            came.append((self.command, self.path, dict(self.headers), content))
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", came
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def door():
    found = Door(Policy(["127.0.0.1"]))
    yield found
    found.close()


@pytest.fixture
def noor():
    return make_household("noor")


def checked(noor, door, url, *, kind="openai", secret=SECRET, options=None, **more):
    provider = create_provider(
        organization_id=noor.id,
        project_id=noor.made.project.id,
        name="p",
        kind=kind,
        base_url=url,
        options=options or {},
        actor=SYSTEM,
    )
    credential = add_credential(provider=provider, secret=secret, name="k", actor=SYSTEM) if secret else None
    found = check_connection(provider=provider, credential=credential, actor=SYSTEM, door=door, **more)
    provider.refresh_from_db()
    return found, provider


def test_the_list_of_models_is_asked_for_with_the_key(noor, door):
    with answering(200, json.dumps({"data": [{"id": "a"}, {"id": "b"}]}).encode()) as (url, came):
        found, provider = checked(noor, door, url)

    [(method, path, headers, _body)] = came
    assert (method, path, headers["authorization"]) == ("GET", "/v1/models", f"Bearer {SECRET}")
    assert (found.is_ok, found.status, found.models, found.code) == (True, 200, 2, "")
    assert found.latency_ms >= 0
    assert (provider.check_error, provider.check_ms) == ("", found.latency_ms)
    assert provider.checked_at is not None


@pytest.mark.parametrize(
    ("kind", "model", "path", "header"),
    [
        ("openai", "m", "/v1/chat/completions", ("authorization", f"Bearer {SECRET}")),
        ("anthropic", "m", "/v1/messages", ("x-api-key", SECRET)),
        ("gemini", "m", "/v1/models/m:generateContent", ("x-goog-api-key", SECRET)),
        ("cohere", "m", "/v1/v2/chat", ("authorization", f"Bearer {SECRET}")),
        ("anthropic", "", "/v1/models", ("anthropic-version", "2023-06-01")),
        ("azure", "", "/openai/v1/models", ("api-key", SECRET)),
        ("azure", "m", "/openai/v1/chat/completions", ("api-key", SECRET)),
        ("replicate", "", "/v1/account", ("authorization", f"Bearer {SECRET}")),
    ],
)
def test_each_dialect_is_asked_in_its_own_way(noor, door, kind, model, path, header):
    with answering(200, b"{}") as (url, came):
        found, _provider = checked(noor, door, url, kind=kind, model=model)

    [(_method, asked, headers, _body)] = came
    assert found.is_ok
    assert asked == path
    assert {name.lower(): value for name, value in headers.items()}[header[0]] == header[1]


@pytest.mark.parametrize(
    ("model", "secret", "path", "header"),
    [
        ("", SECRET, "/openai/models?api-version=2025-01-01", ("api-key", SECRET)),
        ("a b", SECRET, "/openai/deployments/a%20b/chat/completions?api-version=2025-01-01", ("api-key", SECRET)),
        ("", TOKEN, "/openai/models?api-version=2025-01-01", ("authorization", f"Bearer {TOKEN}")),
    ],
)
def test_azure_is_asked_in_its_edition(noor, door, model, secret, path, header):
    edition = {"api_version": "2025-01-01"}
    with answering(200, b"{}") as (url, came):
        checked(noor, door, url, kind="azure", options=edition, model=model, secret=secret)

    [(_method, asked, headers, _body)] = came
    assert (asked, {name.lower(): value for name, value in headers.items()}[header[0]]) == (path, header[1])


def test_an_application_of_entra_is_not_tested_here(noor, door):
    secret = json.dumps({"tenant_id": "t", "client_id": "c", "client_secret": "s"})
    with answering(200, b"{}") as (url, came), pytest.raises(Invalid, match="request through it"):
        checked(noor, door, url, kind="azure", secret=secret)
    assert came == []


def test_the_providers_own_words_are_told_without_the_key(noor, door):
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET}\n.", "code": "x"}}).encode()
    with answering(401, body) as (url, _came):
        found, provider = checked(noor, door, url)

    assert (found.is_ok, found.status, found.code) == (False, 401, "upstream_401")
    assert found.detail == "The provider refuses this key (401): Incorrect API key provided: … ."
    assert provider.check_error == "upstream_401"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b'{"error": "no such model"}', "check `base_url`"),
        (429, b'{"message": "slow down"}', "rate limit is used up (429): slow down"),
        (500, b"<html>oops</html>", "The provider answers with an error (500)"),
        (200, b"<html>welcome</html>", "not with JSON; check `base_url`"),
        (402, b"[]", "nothing is left to pay with"),
    ],
)
def test_every_failure_says_what_it_means(noor, door, status, body, words):
    with answering(status, body) as (url, _came):
        found, _provider = checked(noor, door, url)

    assert not found.is_ok
    assert words in found.detail


def test_a_server_that_is_not_there_is_told(noor, door):
    with answering(200, b"{}") as (url, _came):
        pass
    found, provider = checked(noor, door, url)

    assert (found.is_ok, found.status, found.code) == (False, 0, "upstream_unreachable")
    assert provider.check_error == "upstream_unreachable"


def test_the_policy_of_the_way_out_holds_here_too(noor):
    closed = Door(Policy([]))
    with answering(200, b"{}") as (url, came):
        found, _provider = checked(noor, closed, url)
    closed.close()

    assert (found.is_ok, found.code, came) == (False, "egress_refused", [])


def test_without_a_key_there_is_nothing_to_test_unless_none_is_needed(noor, door):
    with answering(200, b'{"models": []}') as (url, came), pytest.raises(Conflict, match="no key yet"):
        checked(noor, door, url, secret="")
    assert came == []
    with answering(200, b'{"models": []}') as (url, came):
        provider = create_provider(
            organization_id=noor.id, project_id=None, name="local", kind="ollama", base_url=url, actor=SYSTEM
        )
        assert check_connection(provider=provider, credential=None, actor=SYSTEM, door=door).models == 0
    assert came[0][1] == "/v1/api/tags"


def test_what_needs_a_signature_is_said_to_be_untestable_here(noor, door):
    with pytest.raises(Invalid, match="through the gateway"):
        checked(noor, door, "https://bedrock.example", kind="bedrock")
