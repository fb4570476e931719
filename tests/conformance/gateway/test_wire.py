"""What no client library is needed for: keys, bodies that are none, and how soon each piece of a stream arrives."""

import json
import socket
import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.gateway.test_limits import issue
from tests.fakes.model_provider import WORDS
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

HI = {"model": "mock/gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
PATHS = {
    "/v1/chat/completions": HI,
    "/v1/messages": {**HI, "max_tokens": 9},
    "/v1/responses": {"model": HI["model"], "input": "hi"},
}
ADMIN = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
_ADDED_S, _GAP_S = 0.005, 0.03


def post(home, path="/v1/chat/completions", body=None, **headers):
    sent = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json", **headers}
    return home.request("POST", path, json.dumps(PATHS[path]).encode() if body is None else body, sent)


def arrivals(home, model):
    """When each event of a stream came, and what headers came before them."""
    body = json.dumps({**HI, "model": model, "stream": True}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip, br\r\ncontent-length: {len(body)}\r\n"
    )
    found, received = [], b""
    with socket.create_connection(("127.0.0.1", home.port), timeout=60) as connection:
        connection.sendall(f"{head}authorization: Bearer {BOOTSTRAP_KEY}\r\n\r\n".encode() + body)
        while not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(65536)
            now = time.perf_counter()
            found += [now] * (received.count(b"data: ") - len(found))
    return found, received.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")


def is_on_time(home, provider):
    """The first piece, and all others but for what the machine itself takes; none waits for the next one."""
    provider.calls.clear()
    came, _ = arrivals(home, "mock/paced")
    sent = provider.calls[0].sent_at[: len(WORDS)]
    delays = [arrived - said for arrived, said in zip(came, sent, strict=False)]
    return delays[0] < _ADDED_S and statistics.median(delays) < _ADDED_S and max(delays) < _GAP_S


@pytest.mark.case(13, "raw")
def test_each_piece_of_a_stream_arrives_when_the_upstream_says_it(home, provider):
    """A machine may be busy with other things, but not at every try; who buffers, does so at each."""
    home.wait_for(lambda: is_on_time(home, provider))


@pytest.mark.case(13, "raw")
def test_a_stream_comes_in_chunks_and_is_not_packed_though_the_caller_would_take_it(home):
    _, headers = arrivals(home, "mock/paced")
    assert "content-type: text/event-stream; charset=utf-8" in headers
    assert "transfer-encoding: chunked" in headers
    assert not [line for line in headers if line.startswith("content-encoding")]


def is_refused(home, key, path):
    answer = post(home, path, authorization=f"Bearer {key}")
    return answer.status == 401 and answer.json()["error"]["type"] in {"invalid_request_error", "authentication_error"}


@pytest.mark.case(10, "raw")
@pytest.mark.parametrize("path", PATHS)
def test_a_revoked_key_is_refused_everywhere_within_moments(home, provider, path):
    key = issue(home, name="to be revoked")
    found = home.request("GET", "/api/v1/keys?limit=100", headers=ADMIN).json()
    key_id = next(one["id"] for one in found["data"] if one["name"] == "to be revoked" and not one["revoked_at"])
    assert post(home, path, authorization=f"Bearer {key}").status == 200
    assert home.request("DELETE", f"/api/v1/keys/{key_id}", headers=ADMIN).status in {200, 204}
    home.wait_for(lambda: all(is_refused(home, key, path) for _ in range(8)))
    provider.calls.clear()
    assert is_refused(home, key, path)
    assert provider.calls == []


@pytest.mark.case(10, "raw")
def test_a_key_is_refused_from_the_moment_it_ends(home, provider):
    ends = (datetime.now(UTC) + timedelta(seconds=8)).replace(microsecond=0).isoformat()
    key = issue(home, expires_at=ends)
    home.wait_for(lambda: is_refused(home, key, "/v1/chat/completions"))
    assert datetime.now(UTC) >= datetime.fromisoformat(ends)


@pytest.mark.case(10, "raw")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["", "bk_test_wrong_0123456789abcdef", "' OR 1=1 --", "x" * 6000, "bk_live_a_b_c"])
def test_what_is_no_key_is_refused_without_a_word_of_ours(home, path, key):
    assert is_refused(home, key, path)
    text = post(home, path, authorization=f"Bearer {key}").body.lower()
    assert not [word for word in (b"sql", b"traceback", b"postgres", b"redis") if word in text]


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b"[" * 100_000, b"x" * (20 * 1024 * 1024)])
def test_a_body_that_is_none_is_refused_in_json(home, provider, path, body):
    provider.calls.clear()
    answer = post(home, path, body)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert provider.calls == []


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_too_large_is_413(home, path):
    answer = post(home, path, b'{"model": "mock/gpt-4o-mini", "x": "' + b"x" * (33 * 1024 * 1024) + b'"}')
    assert (answer.status, "error" in answer.json()) == (413, True)


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize("kind", ["text/plain", "", "multipart/form-data", "application/json; charset=utf-16"])
def test_json_is_understood_whatever_it_is_called(home, kind):
    """As OpenAI does, and as callers with curl need it."""
    assert post(home, **{"content-type": kind}).status == 200


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
def test_a_form_that_is_none_is_refused_in_json(home, kind):
    answer = post(home, "/v1/audio/transcriptions", b"{}", **{"content-type": kind})
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"])
def test_who_wants_to_speak_websocket_is_told_at_once_that_nobody_does(home, path):
    wishes = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    wishes["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    answer = home.request("GET", path, headers={**wishes, "authorization": f"Bearer {BOOTSTRAP_KEY}"})
    assert (answer.status, answer.json()) == (426, {"error": {"message": "Ask over HTTP"}})
