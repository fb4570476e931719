"""Bedrock's answers: frames judged by botocore's own parser, events by what the same answer says when it is whole."""

import json
import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer

from apps.routing.edge.dialects.bedrock.frames import Damaged, Frames
from apps.routing.edge.dialects.bedrock.replies import read_whole
from apps.routing.edge.dialects.bedrock.streams import ConverseReader
from apps.routing.edge.dialects.bedrock.wire import exception_of, refusal_of
from apps.routing.edge.dialects.sse import EventTooLarge
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Failed,
    Finished,
    MediaPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
)
from apps.routing.edge.usage import Usage
from tests.fakes.bedrock_provider import SIGNATURE, TEXT, THOUGHT, USAGE, answer, event, exception, frame, stream

HI = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
THINKING = {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}}
TOOLS = {"toolConfig": {"tools": [{"toolSpec": {"name": "weather"}}]}}
COUNTED = Usage(input=8, cache_read=3, cache_write_5m=12, cache_write_1h=8, output=7)


def read(frames, size=None):
    reader = ConverseReader()
    data = b"".join(frames)
    size = size or len(data)
    events = [found for start in range(0, len(data), size) for found in reader.feed(data[start : start + size])]
    return reader, events + reader.finish()


def joined(events):
    """Neighbours of one kind as one, since a whole answer has them so."""
    found = []
    for one in events:
        last = found[-1] if found else None
        is_same = isinstance(one, TextPiece | ArgumentsPiece) and type(last) is type(one)
        if is_same and getattr(last, "index", 0) == getattr(one, "index", 0):
            last.text += one.text
        else:
            found.append(one)
    return found


ODD_HEADERS = (
    b"\x02:a\x00" + b"\x02:b\x01" + b"\x02:c\x02\x05" + b"\x02:d\x03\x00\x05" + b"\x02:e\x04\x00\x00\x00\x05"
    b"\x02:f\x05"
    + bytes(8)
    + b"\x02:g\x06\x00\x03xyz"
    + b"\x02:h\x07\x00\x02ok"
    + b"\x02:i\x08"
    + bytes(8)
    + b"\x02:j\x09"
    + bytes(16)
)


def framed(block, payload=b"{}"):
    prelude = struct.pack(">II", len(block) + len(payload) + 16, len(block))
    said = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return said + struct.pack(">I", zlib.crc32(said))


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_frames_are_the_ones_that_botocore_reads(size):
    data = b"".join([*stream(answer(HI | TOOLS)), exception("throttlingException", "slow"), framed(ODD_HEADERS)])
    judge, ours, found = EventStreamBuffer(), Frames(), []
    for start in range(0, len(data), size):
        judge.add_data(data[start : start + size])
        found += ours.feed(data[start : start + size])
    expected = list(judge)
    assert [one.payload for one in found] == [one.payload for one in expected]
    texts = [{name: value for name, value in one.headers.items() if isinstance(value, str)} for one in expected]
    assert [one.headers for one in found] == texts
    assert found[-1].headers == {":h": "ok"}
    assert ours.is_empty


GOOD = framed(b"\x02:h\x07\x00\x02ok")


@pytest.mark.parametrize("place", [0, 5, 8, 13, 20, len(GOOD) - 1])
def test_a_single_wrong_byte_is_found_wherever_it_stands(place):
    data = bytearray(GOOD)
    data[place] ^= 1
    with pytest.raises(Damaged):
        Frames().feed(bytes(data))


def test_what_was_whole_before_the_damage_is_given_first():
    frames, damaged = Frames(), GOOD[:-1] + b"x"
    assert len(frames.feed(GOOD + GOOD + damaged)) == 2
    assert not frames.is_empty
    with pytest.raises(Damaged):
        frames.feed(GOOD)


def test_wrong_lengths_are_not_waited_for():
    def prelude(length, headers):
        said = struct.pack(">II", length, headers)
        return said + struct.pack(">I", zlib.crc32(said))

    with pytest.raises(EventTooLarge):
        Frames().feed(prelude(2**31, 0))
    for length, headers in ((15, 0), (100, 99), (2**20, 2**20 - 8)):
        with pytest.raises(Damaged):
            Frames().feed(prelude(length, headers))


@pytest.mark.parametrize("block", [b"\x02:h\x07\x00\x09ok", b"\x02:h\x0a", b"\x09:h", b"\x02:h\x07\x00\x01\xff"])
def test_headers_that_cannot_be_read_are_damage(block):
    with pytest.raises(Damaged):
        Frames().feed(framed(block))


@pytest.mark.parametrize("size", [1, 100, None])
@pytest.mark.parametrize("asked", [{}, THINKING, TOOLS, THINKING | TOOLS])
def test_a_stream_has_the_events_of_the_whole_answer(asked, size):
    found = answer(HI | asked)
    reader, events = read(stream(found), size)
    assert joined(events) == read_whole(json.dumps(found, ensure_ascii=False).encode()).events
    assert reader.is_complete


def test_thoughts_calls_and_usage_are_told():
    _, events = read(stream(answer(HI | THINKING | TOOLS)))
    assert joined(events) == [
        Begun(),
        ThoughtPiece(THOUGHT),
        ThoughtPiece(signature=SIGNATURE),
        ToolBegun(0, "tooluse_0", "weather"),
        ArgumentsPiece(0, '{"city": "Cairo"}'),
        ToolBegun(1, "tooluse_1", "weather"),
        ArgumentsPiece(1, '{"city": "مكة"}'),
        Finished("tool_calls"),
        Used(COUNTED),
    ]


def test_a_call_without_arguments_has_an_empty_object():
    begun = {"toolUse": {"toolUseId": "t1", "name": "now"}}
    frames = [
        event("contentBlockStart", contentBlockIndex=0, start=begun),
        event("contentBlockStop", contentBlockIndex=0),
        event("messageStop", stopReason="tool_use"),
    ]
    assert read(frames)[1] == [ToolBegun(0, "t1", "now"), ArgumentsPiece(0, "{}"), Finished("tool_calls")]


def test_what_ran_at_bedrock_is_no_call_and_an_answer_as_json_is_text():
    ran = {"toolUse": {"toolUseId": "t1", "name": "nova_grounding", "type": "server_tool_use"}}
    said = {"toolUse": {"toolUseId": "t2", "name": "answer_as_json"}}
    frames = [
        event("contentBlockStart", contentBlockIndex=0, start=ran),
        event("contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": "{}"}}),
        event("contentBlockStop", contentBlockIndex=0),
        event("contentBlockDelta", contentBlockIndex=1, delta={"citation": {"title": "where from"}}),
        event("contentBlockStart", contentBlockIndex=2, start=said),
        event("contentBlockDelta", contentBlockIndex=2, delta={"toolUse": {"input": '{"a": 1}'}}),
        event("messageStop", stopReason="tool_use"),
        event("somethingNew", x=1),
    ]
    assert read(frames)[1] == [TextPiece('{"a": 1}'), Finished("stop")]
    whole = {"output": {"message": {"content": [{"toolUse": {**ran["toolUse"], "input": {}}}]}}, "stopReason": "x"}
    assert read_whole(json.dumps(whole).encode()).events == [Begun(), Finished("stop")]


def test_rarer_blocks_of_a_whole_answer():
    content = [
        {"reasoningContent": {"redactedContent": "c2VhbGVk"}},
        {"citationsContent": {"content": [{"text": "It is "}, {"text": "warm."}], "citations": [{"title": "t"}]}},
        {"image": {"format": "png", "source": {"bytes": "aGk="}}},
        {"guardContent": {}},
    ]
    body = {"output": {"message": {"content": content}}, "stopReason": "guardrail_intervened"}
    events = read_whole(json.dumps(body).encode()).events
    assert events[1:4] == [ThoughtPiece(sealed="c2VhbGVk"), TextPiece("It is "), TextPiece("warm.")]
    assert isinstance(events[4], MediaPiece)
    assert (events[4].media.mime, events[4].media.data) == ("image/png", "aGk=")
    assert events[5:] == [Finished("content_filter")]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("content_filtered", "content_filter"),
        ("malformed_tool_use", "stop"),
        ("tool_use", "stop"),
    ],
)
def test_reasons_to_stop(reason, finish):
    assert read([event("messageStop", stopReason=reason)])[1] == [Finished(finish)]


def test_the_words_that_ended_an_answer_are_told():
    found = event("messageStop", stopReason="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})
    assert read([found])[1] == [Finished("stop_sequence", stop_sequence="END")]


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("throttlingException", 429, "rate_limit_error"),
        ("validationException", 400, "invalid_request_error"),
        ("serviceUnavailableException", 503, "server_error"),
        ("internalServerException", 500, "server_error"),
        ("modelStreamErrorException", 424, "server_error"),
        ("somethingNew", 502, "server_error"),
    ],
)
def test_exceptions_inside_of_a_stream(name, status, kind):
    _, events = read([exception(name, "no")])
    assert events == [Failed("no", kind, name, status=status)]


def test_an_error_that_is_no_exception_has_its_words_in_the_headers():
    said = frame(b"", message_type="error", error_code="InternalError", error_message="went wrong")
    assert read([said])[1] == [Failed("went wrong", "server_error", "InternalError", status=502)]


def test_a_stream_without_its_end_is_not_complete():
    frames = stream(answer(HI))
    assert not read(frames[:-2])[0].is_complete
    assert not read([*frames[:-1], frames[-1][:-1]])[0].is_complete
    assert read(frames[:-1])[0].is_complete


def test_refusals_have_bedrocks_words():
    assert refusal_of(429, b'{"message": "slow"}') == Failed(
        "slow", "rate_limit_error", "ThrottlingException", status=429
    )
    long = refusal_of(400, b'{"message": "Input is too long for requested model."}')
    assert (long.type, long.code) == ("invalid_request_error", "context_length_exceeded")
    slow = refusal_of(429, b'{"message": "Too many tokens, please wait before trying again."}')
    assert (slow.type, slow.code) == ("rate_limit_error", "ThrottlingException")
    named = refusal_of(403, b'{"__type": "com.amazon.coral#ExpiredTokenException", "Message": "expired"}')
    assert (named.message, named.code) == ("expired", "ExpiredTokenException")
    assert refusal_of(502, b"<html>bad gateway") == Failed("<html>bad gateway", "upstream_error", status=502)
    assert refusal_of(500, b"{}").message == "InternalServerException"
    assert exception_of("x", b"no json").message == "no json"


def test_text_is_whole():
    _, events = read(stream(answer(HI)))
    assert "".join(one.text for one in events if isinstance(one, TextPiece)) == TEXT
    assert events[-1] == Used(COUNTED)
    assert USAGE["totalTokens"] == COUNTED.total
