"""What no test client would send, over a socket to a running house: headers, addresses, frames, and the data plane."""

import itertools
import json
from typing import Any

import pytest

from tests.house import ADMIN, BOOTSTRAP_KEY, house
from tests.live.visitor import Visitor, hear, room_of_requests
from tests.security.fuzz.nonsense import BODIES, CONTENT_TYPES, HEADER_VALUES, HEADERS, TEXTS, VALUES
from tests.security.fuzz.wire import Answer, request, send

pytestmark = [pytest.mark.engines]

KEY = [(b"Authorization", b"Bearer " + BOOTSTRAP_KEY.encode())]
CHAT = json.dumps({"model": "echo/fast", "messages": [{"role": "user", "content": "hi"}]}).encode()
NEW_KEY = json.dumps({"name": "ci", "scopes": ["gateway"]}).encode()
EDGE = b"/v1/chat/completions"
TARGETS = {
    "a page": (b"GET", b"/auth/login", b"", []),
    "a form": (b"POST", b"/auth/login", b"email=a%40b.example&password=x", []),
    "the API": (b"GET", b"/api/v1/organizations", b"", KEY),
    "a POST of the API": (b"POST", b"/api/v1/keys", NEW_KEY, KEY),
    "a chat": (b"POST", EDGE, CHAT, KEY),
    "the models": (b"GET", b"/v1/models", b"", KEY),
    "health": (b"GET", b"/health", b"", []),
    "what is not there": (b"GET", b"/v1/nothing", b"", KEY),
}
OUR_HEADERS = (
    *("x-brokle-cache", "x-brokle-cache-ttl", "x-brokle-route", "x-brokle-timeout-ms", "x-brokle-user"),
    *("x-brokle-session", "x-brokle-trace-id", "x-brokle-tags", "x-brokle-metadata", "traceparent", "User-Agent"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire") / "data"
    with house(folder, BROKLE_ADMIN_EMAIL=ADMIN[0], BROKLE_ADMIN_PASSWORD=ADMIN[1]) as started:
        yield started


def call(home: Any, target: str, *more: tuple[bytes, bytes], body: bytes | None = None) -> Answer:
    """A header of `more` takes the place of the good one."""
    method, path, good, own = TARGETS[target]
    sent = good if body is None else body
    kind = b"application/x-www-form-urlencoded" if target == "a form" else b"application/json"
    usual = [(b"Host", b"127.0.0.1:%d" % home.port), (b"Content-Type", kind), *own]
    given = {name.lower() for name, _ in more}
    headers = [pair for pair in usual if pair[0].lower() not in given]
    last = [(b"Content-Length", b"%d" % len(sent)), (b"Connection", b"close")]
    return send(home.port, request(method, path, [*headers, *more, *last], sent))


def fault(target: str, answer: Answer) -> str:
    if answer.status >= 500:
        return f"answered {answer.status}"
    if answer.status < 400 or "x-request-id" not in answer.headers:
        return ""  # served, or refused by HTTP itself before anybody of ours saw it
    if target in {"a chat", "the models"}:
        return "" if is_openais(answer) else f"refused {answer.status} as {answer.content_type}"
    expected = "text/html" if target in {"a page", "a form", "what is not there"} else "application/problem+json"
    return "" if answer.content_type == expected else f"refused {answer.status} as {answer.content_type}"


def is_openais(answer: Answer) -> bool:
    found = json.loads(answer.body)
    return answer.content_type == "application/json" and set(found["error"]) == {"message", "type", "param", "code"}


def _headers_for(target: str) -> tuple[str, ...]:
    """What makes a key each time is asked less often."""
    return ("Authorization", "Idempotency-Key", "User-Agent") if target == "a POST of the API" else HEADERS


@pytest.mark.parametrize("target", TARGETS)
def test_nonsense_in_a_header_is_the_callers_mistake(home, target):
    faults = []
    for name, (kind, value) in itertools.product(_headers_for(target), HEADER_VALUES.items()):
        found = fault(target, call(home, target, (name.encode(), value)))
        if found:
            faults.append(f"{name} {kind}: {found}")
    for kind in CONTENT_TYPES:
        found = fault(target, call(home, target, (b"Content-Type", kind.encode("latin-1"))))
        if found:
            faults.append(f"Content-Type {kind}: {found}")

    assert faults == []
    assert call(home, target).status in {200, 201, 403, 404}


ADDRESSES = {
    "nul": b"/%00/%00",
    "bytes": b"/\xff\xfe",
    "half": b"/%",
    "surrogate": b"/%ED%A0%80",
    "dots": b"/..%2f..%2fetc/passwd",
    "slashes": b"//evil.example/%2e%2e",
    "long": b"/" + b"a" * 30_000,
    "letters": "/أمل/\u202e".encode(),
    "lines": b"/auth/login?next=%0d%0aSet-Cookie:%20a=b",
    "pairs": b"/auth/login?&&==&%ff=%ff&a[]=1&a[b]=2;" + b"&x=1" * 2000,
    "static": b"/static/../../pyproject.toml",
    "static nul": b"/static/%00.css",
    "model nul": b"/v1/models/echo%2F%00",
    "model bytes": b"/v1/models/%ff%fe",
    "whole": b"http://evil.example/auth/login",
    "star": b"*",
    "websocket": b"/ws",
    "api": b"/api/v1/organizations/%00",
    "cursor": b"/api/v1/organizations?cursor=%00&limit=\xff",
}


@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE", b"PROPFIND"])
def test_a_strange_address_or_method_is_the_callers_mistake(home, method):
    faults = []
    for kind, path in ADDRESSES.items():
        for key in ([], KEY):
            headers = [(b"Host", b"localhost"), *key, (b"Content-Length", b"0"), (b"Connection", b"close")]
            answer = send(home.port, request(method, path, headers))
            if answer.status >= 500:
                faults.append(f"{kind}: {answer.status}")

    assert faults == []


FIELDS = ("model", "messages", "stream", "stream_options", "user", "temperature", "tools", "n", "brokle", "\x00")


def test_nonsense_in_a_chat_is_refused_in_openais_form(home):
    faults = []
    good = json.loads(CHAT)
    bodies = [
        (f"{field} {kind}", json.dumps({**good, field: value}).encode())
        for field, (kind, value) in itertools.product(FIELDS, VALUES.items())
    ]
    for part, (kind, value) in itertools.product(("role", "content"), VALUES.items()):
        message = {"role": "user", "content": "hi", part: value}
        bodies.append((f"messages {part} {kind}", json.dumps({**good, "messages": [message]}).encode()))
        streamed = {**good, "messages": [message], "stream": True}
        bodies.append((f"streamed {part} {kind}", json.dumps(streamed).encode()))
    bodies += [*BODIES.items(), ("surrogate bytes", b'{"model": "echo/\xed\xa0\x80", "messages": [{}]}')]
    for kind, body in bodies:
        found = fault("a chat", call(home, "a chat", body=body))
        if found:
            faults.append(f"{kind}: {found}")
    for name, (kind, value) in itertools.product(OUR_HEADERS, HEADER_VALUES.items()):
        found = fault("a chat", call(home, "a chat", (name.encode(), value)))
        if found:
            faults.append(f"{name} {kind}: {found}")

    assert faults == []


async def test_nonsense_in_a_frame_of_ws_ends_nobody(home):
    visitor = Visitor(home)
    visitor.sign_in(*ADMIN)
    rooms = [
        *TEXTS.values(),
        *(f"{kind}:{text}" for kind in ("requests", "notifications", "@person") for text in TEXTS.values()),
    ]
    frames = [*BODIES.values(), *(json.dumps(value).encode() for value in VALUES.values())]
    texts = [frame.decode("utf-8", "replace") for frame in frames]
    for name, value in itertools.product(("type", "room"), VALUES.values()):
        texts.append(json.dumps({"type": "subscribe", "room": "requests:x", name: value}))
    texts += [json.dumps({"type": "subscribe", "room": room}) for room in rooms]
    async with visitor.socket() as socket:
        for text in texts:
            await socket.send(text)
            assert (await hear(socket))["type"] == "error", text[:80]
        for frame in frames[:5]:
            await socket.send(frame)
            assert (await hear(socket))["type"] == "error"
        room = room_of_requests(home)
        await socket.send(json.dumps({"type": "subscribe", "room": room}))
        assert await hear(socket) == {"type": "subscribed", "room": room}


def test_nothing_of_it_was_an_error_of_ours(home):
    """Runs last: what the house says of the calls before."""
    lines = [json.loads(line) for line in home.log.read_text().splitlines()]
    errors = [line for line in lines if line["level"] in {"error", "critical"}]

    assert [(line["logger"], line["message"]) for line in errors] == []
    assert home.chat().status == 200
