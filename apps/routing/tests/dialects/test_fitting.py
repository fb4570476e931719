"""What coding agents ask of every model alike, as the model at hand can be asked it."""

import json

import pytest

from apps.routing.edge.book import ModelRecord, ProviderRecord
from apps.routing.edge.controls import read_controls
from apps.routing.edge.dialects.anthropic.messages import MessagesFormat
from apps.routing.edge.lines import Line
from apps.routing.edge.measures import Measure
from apps.routing.edge.upstreams import Upstream
from brokle.edge.http import Request

ASKED = {
    "model": "any",
    "max_tokens": 32_000,
    "thinking": {"type": "enabled", "budget_tokens": 31_999},
    "messages": [{"role": "user", "content": "hi"}],
}


def told(model, headers=(), **members):
    request = Request({"method": "POST", "path": "/v1/messages", "headers": list(headers)}, None, None)
    ask = MessagesFormat().read_ask(request, json.dumps(ASKED | members).encode())
    provider = ProviderRecord("p", "near", "openai", "http://127.0.0.1:1/v1")
    upstream = Upstream(provider, model, [], None, Measure())
    return json.loads(Line(MessagesFormat(), ask, upstream).body())


@pytest.mark.parametrize(("most", "bound"), [(0, 32_000), (16_384, 16_384), (32_000, 32_000), (64_000, 32_000)])
def test_a_bound_is_no_higher_than_what_the_model_can_say(most, bound):
    assert told(ModelRecord("x", "x", max_output=most))["max_completion_tokens"] == bound


@pytest.mark.parametrize(
    ("capabilities", "drops", "effort"),
    [(["tools"], True, None), (["tools"], False, "high"), (["reasoning"], True, "high"), ([], True, "high")],
)
def test_who_is_known_not_to_think_is_not_asked_to_where_that_may_be_left_out(capabilities, drops, effort):
    headers = [(b"x-brokle-drop-unsupported", b"true")] if drops else []
    assert told(ModelRecord("x", "x", capabilities=capabilities), headers).get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("headers", "session"),
    [
        ({b"x-claude-code-session-id": b"s1"}, "s1"),
        ({b"session-id": b"s2"}, "s2"),
        ({b"session_id": b"s3"}, "s3"),
        ({b"session-id": b"s2", b"x-brokle-session": b"mine"}, "mine"),
        ({b"thread-id": b"t1"}, ""),
    ],
)
def test_the_sessions_of_coding_agents_are_known(headers, session):
    assert read_controls(headers).session == session
