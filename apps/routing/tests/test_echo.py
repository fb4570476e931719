"""The echo provider does what it is told, always the same."""

import json

import pytest

from apps.routing.edge import echo
from apps.routing.edge.echo_script import NAMES, Script, script_of
from brokle.kernel.errors import BadRequest, NotFound, UpstreamFailed

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}


def body(text="one two three", **members):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **members}).encode()


async def whole(script, *asked, **members):
    reply = await echo.answer(script, "m", body(*asked, **members))
    return reply.status, json.loads(await reply.read())


async def stream(script, *asked, **members):
    reply = await echo.answer(script, "m", body(*asked, stream=True, **members))
    chunks = []
    while chunk := await reply.next_chunk():
        chunks.append(chunk)
    return chunks


@pytest.mark.parametrize("name", NAMES)
def test_every_listed_name_is_understood(name):
    assert isinstance(script_of(name), Script)


def test_a_name_and_a_header_say_what_happens():
    script = script_of("latency=200,rate=50,break=5")
    assert script == Script(latency_ms=200, rate=50, break_after=5)
    assert script_of("fast", "status=503; size=3") == Script(status=503, size=3)
    assert script_of("error-418") == Script(status=418)


@pytest.mark.parametrize(
    "name", ["", "nope", "error-200", "error-", "latency=", "latency=-1", "rate=x", "size=999999999", "a=b"]
)
def test_what_it_does_not_understand_is_no_model(name):
    with pytest.raises(NotFound, match="echo"):
        script_of(name)


def test_a_header_it_does_not_understand_is_a_wrong_request():
    with pytest.raises(BadRequest, match="does not understand `speed=3`"):
        script_of("fast", "speed=3")


async def test_it_gives_back_what_was_said():
    status, reply = await whole(Script(), "مرحبا بالعالم")
    assert (status, reply["choices"][0]["message"]["content"]) == (200, "مرحبا بالعالم")
    assert reply["usage"]["total_tokens"] == 14


async def test_it_fails_as_told():
    status, reply = await whole(Script(status=503))
    assert (status, reply["error"]["code"]) == (503, "echo_error_503")


async def test_it_calls_the_first_tool_and_answers_its_result():
    _, called = await whole(script_of("tool"), '{"city": "Cairo"}', tools=[WEATHER])
    call = called["choices"][0]["message"]["tool_calls"][0]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_weather", {"city": "Cairo"})
    assert called["choices"][0]["finish_reason"] == "tool_calls"

    result = {"role": "tool", "tool_call_id": call["id"], "content": "31 degrees"}
    raw = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": "?"}, result], "tools": [WEATHER]}
    ).encode()
    answered = json.loads(await (await echo.answer(script_of("tool"), "m", raw)).read())
    assert answered["choices"][0]["message"]["content"] == "31 degrees"


async def test_a_stream_breaks_off_after_so_many_events():
    reply = await echo.answer(Script(break_after=3), "m", body(stream=True))
    for _ in range(3):
        assert await reply.next_chunk()
    with pytest.raises(UpstreamFailed, match="broke off"):
        await reply.next_chunk()


async def test_a_stream_has_as_many_words_as_told():
    chunks = await stream(Script(size=25, reasoning=4))
    deltas = [json.loads(chunk[6:])["choices"][0]["delta"] for chunk in chunks[:-2]]
    assert sum("content" in delta for delta in deltas) == 26
    assert sum("reasoning_content" in delta for delta in deltas) == 4
    assert json.loads(chunks[-2][6:])["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


@pytest.mark.parametrize("tools", ["a", [1], [{"function": "f"}], [{"function": {"name": []}}]])
async def test_tools_that_are_none_are_refused(tools):
    with pytest.raises(BadRequest):
        await whole(script_of("fast"), tools=tools)


async def test_a_role_that_is_no_word_is_nobodys():
    assert echo.last_text([{"role": "user", "content": "hi"}, {"role": [], "content": "no"}]) == "hi"
