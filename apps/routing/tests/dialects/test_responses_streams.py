"""Answers in OpenAI's Responses form, whole, streamed and relayed: each judged by the types of OpenAI's SDK."""

import json
from itertools import pairwise

import pytest
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from apps.routing.edge.conversation import Media
from apps.routing.edge.dialects.openai.wire import refusal_of
from apps.routing.edge.dialects.responses.responses import ResponsesFormat
from apps.routing.edge.dialects.responses.tools import read_tools
from apps.routing.edge.dialects.seals import told_to_openai
from apps.routing.edge.dialects.sse import Events
from apps.routing.edge.reply import (
    ArgumentsPiece,
    Begun,
    Failed,
    Finished,
    MediaPiece,
    RefusalPiece,
    TextPiece,
    ThoughtPiece,
    ToolBegun,
    Used,
    WholeReply,
)
from apps.routing.edge.usage import Usage
from brokle.edge.http import Request

JUDGE = TypeAdapter(ResponseStreamEvent)
FORMAT = ResponsesFormat()
USED = Usage(input=5, cache_read=3, cache_write_5m=2, output=4, reasoning=6)
BROKLE = b'{"provider":"x"}'
FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
ASKED = {
    "model": "claude/claude-sonnet-4-5",
    "input": "hi",
    "instructions": "Be kind.",
    "tools": [FUNCTION, {"type": "custom", "name": "apply_patch"}],
    "metadata": {"a": "b"},
    "temperature": 0.5,
    "stream": True,
}
TEXT = [Begun("m"), TextPiece("Pea"), TextPiece("ce"), Finished("stop")]
THOUGHT = [ThoughtPiece("Hm"), ThoughtPiece(", hm"), ThoughtPiece(signature="sig")]
CALLS = [
    ToolBegun(0, "c1", "weather"),
    ArgumentsPiece(0, '{"city":'),
    ArgumentsPiece(0, '"Cairo"}'),
    ToolBegun(1, "c2", "weather"),
    ArgumentsPiece(1, "{}"),
]
STARTS = ["response.created", "response.in_progress"]


def ask(**members):
    request = Request({"method": "POST", "path": "/v1/responses", "headers": []}, None, None)
    return FORMAT.read_ask(request, json.dumps({**ASKED, **members}).encode())


def judged(raw):
    """Every event by its type, numbered without a gap, its name and its type the same."""
    found = []
    for number, (name, data) in enumerate(Events().feed(raw)):
        said = json.loads(data)
        assert (said["type"], said["sequence_number"]) == (name.decode(), number)
        JUDGE.validate_python(said, strict=True)
        found.append(said)
    return found


def told(events, metadata=b"", **members):
    writer = FORMAT.writer(ask(**members))
    raw = b"".join(writer.write(event) for event in events if not isinstance(event, Finished))
    return judged(raw + writer.end([event for event in events if isinstance(event, Finished)], USED, metadata))


def whole(events, **members):
    body = json.loads(FORMAT.write_whole(WholeReply([*events, Used(USED)]), ask(**members)))
    return Response.model_validate(body, strict=True), body


def accumulated(events):
    """As the SDK's own `.stream()` adds them up."""
    state = ResponseStreamState(input_tools=[], text_format=omit)
    for event in events:
        state.handle_event(JUDGE.validate_python(event))
    return state._completed_response


def test_a_text_is_told_from_its_beginning_to_its_end():
    events = told(TEXT, BROKLE)
    assert [event["type"] for event in events] == [
        *STARTS,
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert (events[0]["response"]["status"], events[0]["response"]["output"]) == ("in_progress", [])
    assert (events[2]["item"]["content"], events[3]["part"]["text"]) == ([], "")
    last = events[-1]
    assert list(last)[-1] == "brokle"
    assert last["response"]["output"][0]["content"][0]["text"] == "Peace"
    assert last["response"]["id"] == events[0]["response"]["id"]
    assert {event["item_id"] for event in events if "item_id" in event} == {last["response"]["output"][0]["id"]}
    assert accumulated(events).output_text == "Peace"


def test_without_metadata_there_is_none():
    assert "brokle" not in told(TEXT)[-1]


def test_a_whole_answer_repeats_what_was_asked_and_counts_what_was_used():
    found, body = whole(TEXT)
    assert found.output_text == "Peace"
    assert (found.status, found.model, found.instructions) == ("completed", ASKED["model"], "Be kind.")
    assert (found.temperature, found.metadata, found.tool_choice) == (0.5, {"a": "b"}, "auto")
    assert body["tools"][0] == {**FUNCTION, "description": None, "strict": None}
    assert (body["store"], body["id"][:5], found.incomplete_details) == (False, "resp_", None)
    usage = found.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (10, 10, 20)
    assert usage.input_tokens_details.cached_tokens == 3
    assert usage.input_tokens_details.cache_write_tokens == 2
    assert usage.output_tokens_details.reasoning_tokens == 6


def test_thoughts_are_a_summary_and_their_seal():
    events = told([*THOUGHT, ThoughtPiece(sealed="hidden"), *TEXT])
    reasoning, hidden, message = events[-1]["response"]["output"]
    assert reasoning["summary"] == [{"type": "summary_text", "text": "Hm, hm"}]
    assert reasoning["encrypted_content"] == told_to_openai("sig", "")
    assert (hidden["summary"], hidden["encrypted_content"]) == ([], told_to_openai("", "hidden"))
    assert message["type"] == "message"
    assert [event["type"] for event in events[2:9]] == [
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
    ]


def test_calls_have_ids_and_whole_arguments_and_end_in_turn():
    events = told([*TEXT[:3], *CALLS, Finished("tool_calls")])
    kinds = [(event["type"].removeprefix("response."), event.get("output_index")) for event in events[9:-1]]
    assert kinds == [
        ("output_item.added", 1),
        ("function_call_arguments.delta", 1),
        ("function_call_arguments.delta", 1),
        ("function_call_arguments.done", 1),
        ("output_item.done", 1),
        ("output_item.added", 2),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.done", 2),
        ("output_item.done", 2),
    ]
    found = accumulated(events)
    assert found.status == "completed"
    assert [(item.call_id, item.name, item.arguments) for item in found.output[1:]] == [
        ("c1", "weather", '{"city":"Cairo"}'),
        ("c2", "weather", "{}"),
    ]


def test_arguments_that_come_by_turns_are_kept_apart():
    pieces = [CALLS[0], CALLS[3], CALLS[1], ArgumentsPiece(1, '{"city":'), CALLS[2], ArgumentsPiece(1, '"x"}')]
    found = accumulated(told([*pieces, Finished("tool_calls")]))
    assert [item.arguments for item in found.output] == ['{"city":"Cairo"}', '{"city":"x"}']


def test_a_call_without_arguments_has_an_empty_object_and_one_without_an_id_gets_one():
    found, body = whole([ToolBegun(0, "", "weather"), Finished("tool_calls")])
    assert body["output"][0]["arguments"] == "{}"
    assert found.output[0].call_id.startswith("call_")
    deltas = [e["delta"] for e in told([ToolBegun(0, "", "weather"), Finished("tool_calls")]) if "delta" in e]
    assert deltas == ["{}"]


def test_who_wants_one_call_at_a_time_gets_the_first():
    found, _ = whole([*CALLS, Finished("tool_calls")], parallel_tool_calls=False)
    assert [item.call_id for item in found.output] == ["c1"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"input":"*** Begin"}', "*** Begin"), ("*** Begin", "*** Begin"), ('{"x":1}', '{"x":1}'), ("", "")],
)
def test_a_tool_of_free_text_gets_its_text(arguments, text):
    pieces = [ToolBegun(0, "c1", "apply_patch"), *[ArgumentsPiece(0, letter) for letter in arguments]]
    events = told([*pieces, Finished("tool_calls")])
    assert [event["type"] for event in events[3:6]] == [
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.output_item.done",
    ]
    assert (events[4]["input"], events[5]["item"]["type"]) == (text, "custom_tool_call")


@pytest.mark.parametrize("long", ["", "x" * 60])
def test_a_call_in_a_namespace_is_told_by_its_own_name(long):
    name = f"spawn{long}"
    agents = {"type": "namespace", "name": "agents", "description": "x", "tools": [{**FUNCTION, "name": name}]}
    told_name = read_tools([("tools", [agents])], {})[0].name
    pieces = [ToolBegun(0, "c1", told_name), ArgumentsPiece(0, "{}"), Finished("tool_calls")]
    found, _ = whole(pieces, tools=[FUNCTION, agents])
    assert (len(told_name) <= 64, found.output[0].name, found.output[0].namespace) == (True, name, "agents")
    assert told(pieces, tools=[agents])[-1]["response"]["output"][0]["namespace"] == "agents"


def test_tools_that_items_bring_are_told_by_their_own_names():
    functions = {"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]}
    items = [{"type": "additional_tools", "role": "developer", "tools": [functions]}, {"role": "user", "content": "hi"}]
    pieces = [ToolBegun(0, "c1", "functions__exec"), ArgumentsPiece(0, '{"input":"x()"}'), Finished("tool_calls")]
    found, _ = whole(pieces, input=items, tools=None)
    call = found.output[0]
    assert (call.type, call.namespace, call.name, call.input) == ("custom_tool_call", "functions", "exec", "x()")
    assert found.tools == []


SEARCH = {"type": "tool_search", "execution": "client", "description": "Finds", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("arguments", "wish"), [('{"query":"mail"}', {"query": "mail"}), ("mail", {"query": "mail"}), ("", {})]
)
def test_a_search_for_tools_is_called_in_its_own_form(arguments, wish):
    pieces = [ToolBegun(0, "c1", "tool_search"), *[ArgumentsPiece(0, letter) for letter in arguments]]
    events = told([*pieces, Finished("tool_calls")], tools=[SEARCH])
    names = ["response.output_item.added", "response.output_item.done", "response.completed"]
    assert [event["type"] for event in events[2:]] == names
    call = events[3]["item"]
    assert (call["type"], call["execution"], call["call_id"]) == ("tool_search_call", "client", "c1")
    assert (call["arguments"], call["status"]) == (wish, "completed")


def test_what_a_search_found_is_called_by_its_own_name():
    mail = {"type": "namespace", "name": "mail", "description": "x", "tools": [{**FUNCTION, "name": "send"}]}
    found = {"type": "tool_search_output", "execution": "client", "call_id": "c1", "tools": [mail]}
    pieces = [ToolBegun(0, "c2", "mail__send"), ArgumentsPiece(0, "{}"), Finished("tool_calls")]
    answer, _ = whole(pieces, tools=[SEARCH], input=[{"role": "user", "content": "hi"}, found])
    assert (answer.output[0].name, answer.output[0].namespace) == ("send", "mail")


def test_googles_seal_of_a_call_stands_before_it():
    found, _ = whole([ToolBegun(0, "c1", "weather", 0, "seal"), Finished("tool_calls")])
    assert [item.type for item in found.output] == ["reasoning", "function_call"]
    assert found.output[0].encrypted_content == told_to_openai("gemini:seal", "")


def test_a_picture_is_an_item():
    found, _ = whole([MediaPiece(Media("image", "image/png", "iVBORw0KGgo=")), Finished("stop")])
    assert (found.output[0].type, found.output[0].result) == ("image_generation_call", "iVBORw0KGgo=")


def test_what_has_no_place_is_left_out():
    sound, other = MediaPiece(Media("audio", data="x")), TextPiece("b", 1)
    assert whole([sound, other, TextPiece(""), Finished("stop"), Finished("length", 1)])[1]["output"] == []


@pytest.mark.parametrize(
    ("finish", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("stop_sequence", "completed", None),
        ("pause", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("refusal", "incomplete", "content_filter"),
    ],
)
def test_how_it_ended_is_said(finish, status, why):
    events = told([*TEXT[:3], Finished(finish)])
    answer = events[-1]["response"]
    assert (events[-1]["type"], answer["status"]) == (f"response.{status}", status)
    assert (answer["incomplete_details"] or {}).get("reason") == why
    assert answer["output"][0]["status"] == status


def test_a_refusal_is_an_answer():
    events = told([RefusalPiece("I "), RefusalPiece("won't"), Finished("refusal")])
    assert events[-1]["response"]["status"] == "completed"
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I won't"}]
    assert [event["type"] for event in events[4:7]] == ["response.refusal.delta"] * 2 + ["response.refusal.done"]


def test_text_and_refusal_are_parts_of_one_message():
    [message] = told([TextPiece("So"), RefusalPiece("no"), Finished("stop")])[-1]["response"]["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]


def test_log_probabilities_stand_with_their_text():
    token = {"token": "Pea", "logprob": -0.5, "bytes": [80], "top_logprobs": []}
    events = told([TextPiece("Pea", logprobs=[token]), Finished("stop")])
    assert events[4]["logprobs"] == events[5]["logprobs"] == [token]
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == [token]


def test_a_failure_in_the_middle_says_how_far_it_came():
    writer = FORMAT.writer(ask())
    raw = b"".join(writer.write(event) for event in [*TEXT[:3], *CALLS[:2]])
    events = judged(raw + writer.fail(Failed("boom", "server_error", "overloaded")))
    failed, error = events[-2:]
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"] == {"code": "server_error", "message": "boom"}
    message, call = failed["response"]["output"]
    assert (message["status"], message["content"][0]["text"]) == ("completed", "Peace")
    assert (call["status"], call["arguments"]) == ("incomplete", '{"city":')
    assert (error["message"], error["code"], error["error"]["type"]) == ("boom", "overloaded", "server_error")


def test_a_second_writer_goes_on_where_the_first_one_was():
    asked = ask()
    raw = FORMAT.writer(asked).write(TextPiece("Pea"))
    again = FORMAT.writer(asked)
    assert again.write(TextPiece("x")) + again.end([], Usage(), b"") == b""
    events = judged(raw + again.fail(Failed("broken off")))
    assert events[-2]["response"]["output"][0]["content"][0]["text"] == "Pea"
    assert events[-2]["response"]["id"] == events[0]["response"]["id"]


def test_a_failure_before_the_beginning_is_an_error_alone():
    assert [event["type"] for event in judged(FORMAT.writer(ask()).fail(Failed("boom")))] == ["error"]


def upstream(*, metadata=None, name="gpt-5-2025", cut=None):
    """A stream as OpenAI sends it, and its passage through us."""
    events = told([*THOUGHT, *TEXT, Finished("stop")])
    for event in events:
        if "response" in event:
            event["response"]["model"] = name
    raw = b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)
    asked = ask()
    passage = FORMAT.passage(asked, metadata)
    return asked, passage, raw if cut is None else raw[: raw.index(cut)], raw


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_a_stream_passes_as_it_came_but_for_the_name_and_our_member(size):
    _, passage, raw, _ = upstream(metadata=lambda: BROKLE)
    out = b"".join(passage.feed(raw[at : at + size]) for at in range(0, len(raw), size)) + passage.finish()
    assert passage.is_done
    assert passage.usage == Usage(input=5, cache_read=3, cache_write_5m=2, output=4, reasoning=6)
    assert {e["response"]["model"] for e in judged(out) if "response" in e} == {ASKED["model"]}
    assert list(judged(out)[-1])[-1] == "brokle"
    plain = out.replace(b',"brokle":' + BROKLE, b"").replace(json.dumps(ASKED["model"]).encode(), b'"gpt-5-2025"')
    assert plain == raw
    assert passage.events == 4


def test_a_stream_of_the_same_name_without_metadata_passes_untouched():
    _, passage, raw, _ = upstream(name=ASKED["model"])
    assert passage.feed(raw) == raw


def test_a_relayed_stream_that_breaks_off_is_ended_by_its_own_count():
    asked, passage, raw, _ = upstream(cut=b"event: response.output_text.done")
    events = judged(passage.feed(raw) + FORMAT.writer(asked).fail(Failed("broken off")))
    assert [event["type"] for event in events[-2:]] == ["response.failed", "error"]
    assert events[-2]["response"]["model"] == ASKED["model"]
    assert (passage.is_done, passage.usage, passage.events) == (False, None, 4)


@pytest.mark.parametrize(
    "last",
    [
        {"type": "error", "code": "overloaded", "message": "boom", "param": None},
        {"type": "error", "error": {"type": "server_error", "message": "boom"}},
        {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error"}}},
    ],
)
def test_nothing_comes_after_an_error(last):
    _, passage, _, _ = upstream()
    failed = f"event: {last['type']}\ndata: {json.dumps(last)}\n\n".encode()
    assert passage.feed(failed + b'data: {"type":"response.completed"}\n\n') == failed
    assert (passage.is_failed, passage.is_done) == (True, False)


def test_text_that_speaks_of_events_is_text():
    _, passage, _, _ = upstream()
    said = json.dumps({"type": "response.output_text.delta", "delta": '{"type":"response.failed"}'})
    event = f"data: {said}\n\n".encode()
    assert passage.feed(event) == event
    assert not passage.is_failed


@pytest.mark.parametrize(
    "junk", [b"data: {\n\n", b": keep\n\n", b'data: {"type":"response.completed","response":5}\n\n']
)
def test_what_is_no_event_passes_unread(junk):
    _, passage, _, _ = upstream()
    assert passage.feed(junk) == junk


def test_searches_of_the_provider_are_counted():
    body = {"object": "response", "model": "gpt-5", "output": [{"type": "web_search_call"}] * 2, "error": None}
    usage = {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}}
    light = FORMAT.find_light(json.dumps({**body, "usage": usage}).encode())
    assert light.usage == Usage(input=6, cache_read=4, output=5, web_searches=2)
    assert (light.model, light.is_error) == (b'"gpt-5"', False)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff", b'{"usage": 5}'])
def test_what_is_no_answer_is_seen_as_none(body):
    assert FORMAT.find_light(body) is None


def test_numbers_never_go_back():
    numbers = [event["sequence_number"] for event in told([*THOUGHT, *TEXT, *CALLS])]
    assert all(later == earlier + 1 for earlier, later in pairwise(numbers))


def test_a_refused_call_has_openais_shape():
    failure = refusal_of(400, b'{"error": {"message": "no", "type": "invalid_request_error", "code": "x"}}')
    error = {"message": "no", "type": "invalid_request_error", "param": None, "code": "x"}
    assert json.loads(FORMAT.refusal(failure, "req_1")) == {"error": error}
