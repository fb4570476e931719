import pytest

from apps.routing.edge.causes import Refusal, cause_of, is_of_key, is_passing
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.doors import NoUsableKey
from brokle.kernel.errors import Unavailable, UpstreamFailed, UpstreamTimedOut


class Answered:
    def __init__(self, status, **headers):
        self.status = status
        self._headers = headers

    def header(self, name, default=""):
        return self._headers.get(name.replace("-", "_"), default)


def refusal(status, body=b"{}", **headers):
    return Refusal(None, Answered(status, **headers), body)


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (400, b'{"error": {"code": "context_length_exceeded"}}', "context_window"),
        (400, b'{"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}', "context_window"),
        (400, b'{"error": {"message": "The input token count (9) exceeds the maximum"}}', "context_window"),
        (413, b'{"error": {"message": "maximum context size is 8192"}}', "context_window"),
        (400, b'{"error": {"code": "content_filter"}}', "content_policy"),
        (400, b'{"error": {"param": "temperature"}}', ""),
        (400, b'{"error": {"message": "API key not valid. Please pass a valid API key."}}', "error"),
        (400, b'{"error": {"details": [{"reason": "API_KEY_INVALID"}]}}', "error"),
        (422, b"{}", ""),
        (429, b"{}", "rate_limit"),
        (408, b"{}", "timeout"),
        (504, b"{}", "timeout"),
        (500, b"{}", "error"),
        (529, b"{}", "error"),
        (401, b"{}", "error"),
        (404, b"{}", "error"),
        (424, b"{}", "error"),
        (400, b'{"message": "Input is too long for requested model."}', "context_window"),
        (418, b"{}", ""),
    ],
)
def test_a_refusal_says_whether_another_upstream_may_do_better(status, body, cause):
    assert cause_of(refusal(status, body)) == cause


@pytest.mark.parametrize(
    ("failure", "cause", "passes"),
    [
        (UpstreamFailed(), "error", True),
        (UpstreamTimedOut(), "timeout", True),
        (Unavailable(), "error", True),
        (NoUsableKey(), "error", False),
        (CannotExpress("seed", "Anthropic"), "capability", False),
    ],
)
def test_failures_without_an_answer_have_causes_too(failure, cause, passes):
    assert (cause_of(failure), is_passing(failure)) == (cause, passes)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "20", "retry_after": "7"}, 0.02),
        ({"retry_after": "-3"}, 0.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_the_upstreams_advice_is_read_in_all_its_forms(headers, seconds):
    assert refusal(429, **headers).retry_after_s() == seconds


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b"{}", True),
        (402, b"{}", True),
        (403, b"{}", True),
        (429, b"{}", True),
        (400, b'{"error": {"details": [{"reason": "API_KEY_INVALID"}]}}', True),
        (400, b'{"error": {"message": "API key expired. Please renew the API key."}}', True),
        (400, b'{"error": {"message": "temperature"}}', False),
        (500, b"API_KEY_INVALID", False),
    ],
)
def test_another_key_is_tried_where_one_was_refused(status, body, expected):
    assert is_of_key(refusal(status, body)) is expected


def test_another_key_is_no_help_where_nobody_answered():
    assert not is_of_key(UpstreamFailed())
