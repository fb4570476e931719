"""Streams in the form that Anthropic's public documentation shows, each judged by the types of its SDK."""

import json

import pytest
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from apps.routing.edge.dialects.anthropic.passage import Passage
from apps.routing.edge.dialects.anthropic.streams import MessagesReader
from apps.routing.edge.dialects.openai.streams import ChatWriter
from apps.routing.edge.dialects.sse import Events
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Finished,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
)
from apps.routing.edge.usage import Usage

judge = TypeAdapter(RawMessageStreamEvent)

START = """\
event: message_start
data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","content":[],\
"model":"claude-opus-5-5","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}}

"""
WORDS = (
    START
    + """\
event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"!"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

"""
)
CALLS = (
    START
    + """\
event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Let me see."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_01","name":"get_weather",\
"input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"location\\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":" \\"Cairo\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}

event: message_stop
data: {"type":"message_stop"}

"""
)
THOUGHTS = (
    START
    + """\
event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"The divisor"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":" is 21."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"EmwKAhgBEgy3"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"21"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":25,\
"cache_read_input_tokens":5,"output_tokens":40,"output_tokens_details":{"thinking_tokens":30}}}

event: message_stop
data: {"type":"message_stop"}

"""
)
SEARCH = (
    START
    + """\
event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_01",\
"name":"web_search","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta",\
"partial_json":"{\\"query\\": \\"sun\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result",\
"tool_use_id":"srvtoolu_01","content":[{"type":"web_search_result","title":"Sun","url":"https://sun.example",\
"encrypted_content":"Eoc","page_age":null}]}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"citations":[],"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{\
"type":"web_search_result_location","cited_text":"sun","url":"https://sun.example","title":"Sun","encrypted_index":"E"}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"It shines."}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"pause_turn","stop_sequence":null},"usage":{"input_tokens":10682,\
"output_tokens":510,"server_tool_use":{"web_search_requests":1,"web_fetch_requests":0}}}

event: message_stop
data: {"type":"message_stop"}

"""
)
REFUSED = (
    START
    + """\
event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal",\
"category":"bio","explanation":"Not this."}},"usage":{"output_tokens":3}}

event: message_stop
data: {"type":"message_stop"}

"""
)
BEGUN = Begun("msg_01", "claude-opus-5-5")
SAID = {
    "words": (WORDS, [TextPiece("Hello"), TextPiece("!"), Finished("stop")], Usage(input=25, output=15)),
    "calls": (
        CALLS,
        [
            TextPiece("Let me see."),
            ToolBegun(0, "toolu_01", "get_weather"),
            ArgumentsPiece(0, '{"location":'),
            ArgumentsPiece(0, ' "Cairo"}'),
            Finished("tool_calls"),
        ],
        Usage(input=25, output=89),
    ),
    "thoughts": (
        THOUGHTS,
        [
            ThoughtPiece("The divisor"),
            ThoughtPiece(" is 21."),
            ThoughtPiece(signature="EqQBCgIYAhIM"),
            ThoughtPiece(sealed="EmwKAhgBEgy3"),
            TextPiece("21"),
            Finished("stop"),
        ],
        Usage(input=25, cache_read=5, output=10, reasoning=30),
    ),
    "a search at Anthropic": (SEARCH, [TextPiece("It shines."), Finished("pause")], Usage(input=10682, output=510)),
    "a refusal": (REFUSED, [RefusalPiece("Not this."), Finished("refusal")], Usage(input=25, output=3)),
}


@pytest.mark.parametrize(("transcript", "expected", "usage"), SAID.values(), ids=SAID)
def test_a_transcript_is_read_as_it_is_meant(transcript, expected, usage):
    raw = transcript.encode()
    for name, data in Events().feed(raw):
        assert name == b"ping" or judge.validate_json(data, strict=False).type == name.decode()

    reader = MessagesReader()
    events = reader.feed(raw) + reader.finish()
    assert [event for event in events if not isinstance(event, Used)] == [BEGUN, *expected]
    assert [event.usage for event in events if isinstance(event, Used)][-1] == usage
    assert reader.is_complete


@pytest.mark.parametrize(("transcript", "expected", "usage"), SAID.values(), ids=SAID)
def test_a_transcript_is_relayed_byte_for_byte_and_its_usage_seen(transcript, expected, usage):
    passage = Passage("claude-opus-5-5", None)
    raw = transcript.encode()
    assert passage.feed(raw) + passage.finish() == raw
    assert (passage.usage, passage.is_done) == (usage, True)


def test_a_transcript_is_told_to_openais_callers():
    reader, writer = MessagesReader(), ChatWriter("claude", wants_usage=False)
    events = reader.feed(CALLS.encode())
    raw = b"".join(writer.write(event) for event in events if not isinstance(event, Used | Finished))
    raw += writer.end([event for event in events if isinstance(event, Finished)], Usage(), b"")
    choices = [json.loads(data)["choices"][0] for _, data in Events().feed(raw) if data != b"[DONE]"]
    deltas = [choice["delta"] for choice in choices]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "Let me see."},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "toolu_01",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"location":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ' "Cairo"}'}}]},
        {},
    ]
    assert [choice["finish_reason"] for choice in choices] == [None] * 5 + ["tool_calls"]
