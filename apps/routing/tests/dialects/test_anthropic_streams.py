"""Anthropic's streams: transcripts after the public documentation, read, written and judged by Anthropic's SDK."""

import json
from itertools import pairwise

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from apps.routing.edge.dialects.anthropic.passage import Passage
from apps.routing.edge.dialects.anthropic.replies import read_whole, write_whole
from apps.routing.edge.dialects.anthropic.streams import MessagesReader, MessagesWriter
from apps.routing.edge.dialects.sse import Events
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Failed,
    Finished,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)
from apps.routing.edge.usage import Usage
from tests.fakes import anthropic_provider as fake

judge = TypeAdapter(RawMessageStreamEvent)
TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]
ASKS = {
    "words": {},
    "calls": {"tools": TOOLS},
    "thoughts and words": {"thinking": {"type": "adaptive"}},
    "thoughts and calls": {"thinking": {"type": "adaptive"}, "tools": TOOLS},
    "a shape": {"output_config": {"format": {"type": "json_schema"}}},
    "an answer in a tool": {
        "tools": [{"name": "answer_as_json"}],
        "tool_choice": {"type": "tool", "name": "answer_as_json"},
    },
}
USED = Usage(input=8, cache_read=3, cache_write_5m=12, cache_write_1h=8, output=5, reasoning=2)
EVERY = pytest.mark.parametrize("asked", ASKS.values(), ids=ASKS)


def told(asked):
    body = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}], **asked}
    return fake.message(fake.Call("", {}, body, b""))


def merged(events):
    """Neighbouring pieces of one kind are one."""
    found = []
    for event in events:
        last = found[-1] if found else None
        is_more = type(last) is type(event) and isinstance(event, TextPiece | ArgumentsPiece)
        if is_more or (isinstance(event, ThoughtPiece) and isinstance(last, ThoughtPiece) and event.text and last.text):
            found[-1] = msgspec.structs.replace(last, text=last.text + event.text)
        elif not isinstance(event, Used):
            found.append(event)
    return found


def heard(chunks):
    reader = MessagesReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.finish()
    assert reader.is_complete
    return events


def accumulated(raw):
    """By Anthropic's SDK, which raises for an order it does not know."""
    snapshot, buffers = None, {}
    for name, data in Events().feed(raw):
        if name == b"ping":
            continue
        event = judge.validate_json(data, strict=False)
        assert event.type == name.decode()
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot


def spoken(events, *, finished=None, usage=USED, metadata=b""):
    writer = MessagesWriter("claude", 3)
    body = b"".join(writer.write(event) for event in events if not isinstance(event, Finished | Used))
    ends = finished or [event for event in events if isinstance(event, Finished)]
    return body + writer.end(ends, usage, metadata)


def order(raw):
    return [name.decode() for name, _ in Events().feed(raw)]


@EVERY
def test_a_stream_says_what_the_whole_answer_says(asked):
    message = told(asked)
    whole = read_whole(fake.whole(message)).events
    events = heard(fake.stream(message))
    assert accumulated(b"".join(fake.stream(message))).stop_reason == message["stop_reason"]

    def simple(found):
        """Whole thoughts carry text and seal apart, as streams do; arguments may be spaced otherwise."""
        return [
            msgspec.structs.replace(event, text=json.dumps(json.loads(event.text)))
            if isinstance(event, ArgumentsPiece) or (isinstance(event, TextPiece) and event.text.startswith("{"))
            else event
            for event in merged(found)
        ]

    assert simple(events) == simple(whole)
    assert [event.usage for event in events if isinstance(event, Used)][-1] == USED
    assert whole[-1] == Used(USED)


@EVERY
def test_a_stream_cut_anywhere_says_the_same(asked):
    raw = b"".join(fake.stream(told(asked)))
    expected = heard([raw])
    for cut in range(len(raw)):
        assert heard([raw[:cut], raw[cut:]]) == expected
    assert heard([raw[place : place + 1] for place in range(len(raw))]) == expected
    assert heard([raw.replace(b"\n", b"\r\n")]) == expected


@EVERY
def test_what_is_written_again_is_the_same_message_to_the_sdk(asked):
    if "answer" in str(asked):
        return  # read as text by design: the caller asked for an answer, not for a tool
    message = told(asked)
    raw = spoken(heard(fake.stream(message)))
    found = accumulated(raw)
    whole = Message.model_validate_json(write_whole(read_whole(fake.whole(message)), "claude"), strict=False)

    for one in (found, whole):
        assert [block.model_dump(exclude_none=True) for block in one.content] == message["content"]
        assert (one.stop_reason, one.model, one.id) == (message["stop_reason"], "claude", "msg_1")
        usage = one.usage
        assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (8, 3, 7)
        assert (usage.cache_creation_input_tokens, usage.output_tokens_details.thinking_tokens) == (20, 2)
    assert (
        whole.usage.cache_creation.ephemeral_5m_input_tokens,
        whole.usage.cache_creation.ephemeral_1h_input_tokens,
    ) == (12, 8)


def test_an_answer_given_as_a_tools_input_is_text():
    message = told(ASKS["an answer in a tool"])
    events = merged(heard(fake.stream(message)))
    assert events == [Begun("msg_1", "claude-sonnet-4-5"), TextPiece('{"city": "Cairo"}'), Finished("stop")]


def test_a_call_without_arguments_has_an_empty_object():
    call = {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}}
    chunks = [
        fake.event("content_block_start", index=0, content_block=call),
        fake.event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": ""}),
        fake.event("content_block_stop", index=0),
        fake.event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 1}),
        fake.event("message_stop"),
    ]
    assert merged(heard(chunks)) == [ToolBegun(0, "toolu_1", "now"), ArgumentsPiece(0, "{}"), Finished("tool_calls")]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("something_new", "stop"),
    ],
)
def test_every_reason_to_stop_has_its_place(reason, finish):
    delta = {"stop_reason": reason, "stop_sequence": "END" if reason == "stop_sequence" else None}
    [event] = heard([fake.event("message_delta", delta=delta)])
    assert (event.reason, event.stop_sequence) == (finish, delta["stop_sequence"] or "")
    if finish != "stop":
        found = accumulated(spoken([event]))
        expected = "max_tokens" if reason == "model_context_window_exceeded" else reason
        assert (found.stop_reason, found.stop_sequence) == (expected, delta["stop_sequence"])


def test_a_refusal_is_explained():
    delta = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "bio", "explanation": "no"}}
    assert heard([fake.event("message_delta", delta=delta)]) == [RefusalPiece("no"), Finished("refusal")]


def test_an_error_inside_keeps_its_words_and_is_said_in_anthropics():
    [failure] = MessagesReader().feed(fake.event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    assert failure == Failed("Overloaded", "overloaded_error", status=502)
    said = MessagesWriter("claude", 1).fail(failure)
    assert (
        said == b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    )


def test_the_order_is_the_documented_one_and_only_one_message_starts():
    events = [
        Begun("m"),
        ThoughtPiece("so"),
        ThoughtPiece(signature="s"),
        ThoughtPiece(sealed="x"),
        TextPiece("hi"),
        ToolBegun(0, "a", "f"),
        ArgumentsPiece(0, "{}"),
        ToolBegun(1, "b", "f"),
        ArgumentsPiece(1, '{"x":1}'),
        Finished("tool_calls"),
    ]
    raw = spoken(events, metadata=b'{"cost_usd":1}')
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert order(raw) == [
        "message_start",
        "ping",
        *[block[0], block[1], *block[1:]],
        *[block[0], block[2]],
        *block * 3,
        "message_delta",
        "message_stop",
    ]
    assert [block.type for block in accumulated(raw).content] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    late = json.loads(Events().feed(raw)[-2][1])
    assert list(late) == ["type", "delta", "usage", "brokle"]
    assert late["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}


def test_a_provider_that_says_nothing_first_still_starts_one_message():
    raw = spoken([TextPiece("hi"), Finished("length")])
    assert order(raw)[0] == "message_start"
    assert order(raw).count("message_start") == 1
    assert accumulated(raw).stop_reason == "max_tokens"
    assert order(spoken([])) == ["message_start", "ping", "message_delta", "message_stop"]


@given(st.data())
def test_calls_that_arrive_mixed_are_told_one_after_the_other(data):
    """OpenAI's streams may go back and forth between calls; Anthropic's blocks do not."""
    calls = data.draw(
        st.lists(st.dictionaries(st.sampled_from("abc"), st.text("xy{}", max_size=5)), min_size=1, max_size=4)
    )
    queues = []
    for index, arguments in enumerate(calls):
        text = json.dumps(arguments)
        places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=3)) | {0, len(text)})
        pieces = [ArgumentsPiece(index, text[start:end]) for start, end in pairwise(places)]
        queues.append([ToolBegun(index, f"id{index}", "f"), *pieces])
    events = [Begun("m")]
    started = 1
    while any(queues[:started]):
        if started < len(queues) and data.draw(st.booleans()):
            events.append(queues[started].pop(0))
            started += 1
            continue
        events.append(data.draw(st.sampled_from([queue for queue in queues[:started] if queue])).pop(0))
        if not any(queues[:started]) and started < len(queues):
            events.append(queues[started].pop(0))
            started += 1
    found = accumulated(spoken([*events, Finished("tool_calls")]))
    assert {block.id: block.input for block in found.content} == {f"id{n}": held for n, held in enumerate(calls)}


pieces = st.one_of(
    st.builds(TextPiece, st.text(max_size=4)),
    st.builds(ThoughtPiece, st.text(max_size=4)),
    st.builds(ThoughtPiece, signature=st.just("s")),
    st.builds(ThoughtPiece, sealed=st.just("x")),
    st.builds(RefusalPiece, st.text(max_size=4)),
)


@given(st.lists(pieces, max_size=12), st.sampled_from(["stop", "length", "pause"]))
def test_whole_and_streamed_are_the_same_to_the_sdk(events, reason):
    events = [Begun("m"), *events, Finished(reason), Used(USED)]
    streamed = accumulated(spoken(events))
    whole = Message.model_validate_json(write_whole(WholeReply(events), "claude"), strict=False)

    def content(message):
        return [
            block.model_dump(exclude_none=True)
            for block in message.content
            if block.type != "thinking" or block.thinking or block.signature
        ]

    assert content(streamed) == content(whole)
    assert streamed.stop_reason == whole.stop_reason


# ── Relayed ──────────────────────────────────────────────────────────────────
def passed(chunks, *, asked="claude-sonnet-4-5", metadata=lambda: b'{"cost_usd":1}'):
    passage = Passage(asked, metadata)
    out = b"".join(passage.feed(chunk) for chunk in chunks)
    return passage, out + passage.finish()


@EVERY
def test_a_relayed_stream_is_the_same_bytes_but_for_one_member_wherever_it_is_cut(asked):
    raw = b"".join(fake.stream(told(asked)))
    last = raw.rindex(b"}", 0, raw.index(b"event: message_stop"))
    expected = raw[:last] + b',"brokle":{"cost_usd":1}' + raw[last:]
    assert passed([raw], metadata=None)[1] == raw
    for cut in range(len(raw)):
        passage, out = passed([raw[:cut], raw[cut:]])
        assert out == expected
        assert (passage.usage, passage.is_done, passage.is_failed) == (USED, True, False)


def test_the_name_asked_for_stands_where_the_upstreams_stood():
    raw = b"".join(fake.stream(told({})))
    _, out = passed([raw], asked="fast", metadata=None)
    assert out == raw.replace(b'"model": "claude-sonnet-4-5"', b'"model": "fast"')


def test_words_about_events_are_only_words():
    piece = fake.event("content_block_delta", index=0, delta={"type": "text_delta", "text": '"type": "message_stop"}'})
    passage, out = passed([piece])
    assert (out, passage.is_done, passage.events) == (piece, False, 1)


def test_a_stream_that_breaks_off_has_used_what_came():
    events = fake.stream(told({}))
    passage, _ = passed(events[:7])
    assert passage.usage == msgspec.structs.replace(USED, output=4, reasoning=0, is_estimated=True)
    assert not passage.is_done


def test_nothing_comes_after_an_error():
    raw = fake.event("error", error={"type": "overloaded_error", "message": "x"})
    passage, out = passed([raw + fake.event("message_stop")])
    assert (out, passage.is_failed, passage.is_done) == (raw, True, False)


def test_an_end_left_unsaid_is_said():
    events = fake.stream(told({}))
    passage, out = passed(events[:-1], metadata=None)
    assert (out, passage.is_done) == (
        b"".join(events[:-1]) + b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        True,
    )
