"""Bodies that are no JSON in UTF-8, wherever in them that shows."""

import pytest

from apps.routing.edge.dialects.openai.requests import read_request
from apps.routing.edge.dialects.openai.wire import read_ask
from brokle.kernel.errors import BadRequest

BODIES = [
    b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}',
    b'{"model": "m", "messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
    b'{"model": "m", "messages": [{}], "never read": ["\xc3\x28"]}',
    b'{"model": "m", "messages": [{}], "\xff": 1}',
]


@pytest.mark.parametrize("body", BODIES)
def test_what_is_not_utf_8_is_refused_though_nobody_has_read_it_yet(body):
    with pytest.raises(BadRequest, match="not valid JSON"):
        read_ask(body)


@pytest.mark.parametrize("content", [b'"\\ud800"', b"NaN", b"[" * 10_000 + b"]" * 10_000])
def test_what_is_found_late_is_refused_all_the_same(content):
    body = b'{"model": "m", "messages": [{"role": "user", "content": ' + content + b"}]}"
    with pytest.raises(BadRequest):
        read_request(body, is_stream=False, drops_unsupported=False)


def test_letters_of_every_script_pass():
    body = '{"model": "m", "messages": [{"role": "user", "content": "السلام عليكم 👋"}]}'.encode()
    assert read_ask(body).model == "m"
