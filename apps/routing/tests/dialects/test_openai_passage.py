"""A relayed stream comes out the same however its bytes arrive."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.routing.edge.dialects.openai.passage import Passage
from apps.routing.edge.splice import Renaming
from apps.routing.edge.usage import Usage

BROKLE = b'{"provider":"up"}'


def events(blank: str, line: str) -> bytes:
    """Written by hand: with the provider's blanks, a text that speaks of its own members, and a comment."""
    said = ["one", 'see "model":"fast" and "finish_reason":"stop"', "three", "", "[DONE]"]
    held = [{"delta": {"content": text}, "finish_reason": None} for text in said]
    held.append({"delta": {}, "finish_reason": "stop"})
    chunks: list[dict] = [{"model": "fast", "choices": [one], "usage": None} for one in held]
    chunks.append({"model": "fast", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}})
    separators = (",", f":{blank}")
    data = [json.dumps(chunk, separators=separators) for chunk in chunks]
    end = line * 2
    return (end.join(f"data: {one}" for one in [*data, "[DONE]"]) + end + f": bye{end}").encode()


def passed(pieces: list[bytes], *, wants_usage: bool) -> tuple[bytes, Passage]:
    passage = Passage("up/fast", wants_usage=wants_usage, metadata=lambda: BROKLE)
    out = b"".join(passage.feed(piece) for piece in pieces)
    return out + passage.finish(), passage


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
@given(data=some.data())
def test_pieces_make_no_difference(blank, line, data):
    wants_usage = data.draw(some.booleans())
    stream = events(blank, line)
    cuts = sorted(data.draw(some.lists(some.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole, one_piece = passed([stream], wants_usage=wants_usage)
    out, passage = passed(pieces, wants_usage=wants_usage)
    assert out == whole
    assert (passage.events, passage.usage, passage.is_done) == (one_piece.events, one_piece.usage, True)
    assert passage.usage == Usage(input=3, output=5)


@pytest.mark.parametrize("blank", ["", " "])
def test_only_the_member_is_renamed(blank):
    out, _ = passed([events(blank, "\n")], wants_usage=True)
    assert out.count(b'"model":%b"up/fast"' % blank.encode()) == 7
    assert rb"see \"model\":\"fast\" and \"finish_reason\":\"stop\"" in out
    assert out.count(b'"brokle":' + BROKLE) == 1


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        (b'{"model":"a\\u0062"}', b'{"model":"asked"}'),
        (b'{"model" :\n"a\\u0062","x":"\\"model\\":1"}', b'{"model" :\n"asked","x":"\\"model\\":1"}'),
        (b'{"model":"other"}', b'{"model":"other"}'),
    ],
)
def test_a_name_is_found_as_it_was_written(text, renamed):
    assert Renaming(b'"a\\u0062"', "asked").apply(text) == renamed
