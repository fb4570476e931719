"""From OpenAI's words to Replicate's inputs and back; the course of a prediction, against a provider that has them."""

import asyncio
import json

import pytest

from apps.routing.edge.book import BookRecord, ModelRecord, ProviderRecord
from apps.routing.edge.courses import Course
from apps.routing.edge.dialects.catalog import dialect_of
from apps.routing.edge.dialects.openai.requests import read_request
from apps.routing.edge.dialects.pictures import Drawing
from apps.routing.edge.dialects.replicate.places import place_of
from apps.routing.edge.dialects.replicate.replies import PredictionReader, read_whole
from apps.routing.edge.dialects.speech import CannotExpress
from apps.routing.edge.doors import OPEN_TO_ALL, Door
from apps.routing.edge.plan import Book
from apps.routing.edge.predictions import PREDICTION, event
from apps.routing.edge.reply import Begun, Failed, Finished, TextPiece, Used
from apps.routing.edge.upstreams import PredictionUpstream
from apps.routing.edge.usage import Usage
from apps.routing.edge.workshop import Workshop
from brokle.edge.egress import EgressClient, Limits, Policy
from brokle.kernel.errors import BadRequest, UpstreamFailed, UpstreamTimedOut
from tests.fakes.replicate_provider import KEY, METRICS, PICTURE, TEXT, VERSION, replicate_provider

REPLICATE = dialect_of("replicate")
LLAMA = "meta/meta-llama-3-8b-instruct"
HI = [{"role": "user", "content": "hi"}]
PLAY = [
    {"role": "system", "content": "Be short."},
    *HI,
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Bye?"},
]
PICTURED = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}},
        ],
    }
]
SUCCEEDED = {"id": "p1", "model": LLAMA, "status": "succeeded", "output": ["Pea", "ce"], "metrics": METRICS}


def written(model=LLAMA, *, drops=False, messages=HI, **members):
    said = json.dumps({"model": "any", "messages": messages, **members}).encode()
    conversation = read_request(said, is_stream=False, drops_unsupported=drops)
    return json.loads(REPLICATE.write_request(conversation, model))


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (LLAMA, "models/meta/meta-llama-3-8b-instruct/predictions"),
        (f"acme/hello:{VERSION}", "predictions"),
        (VERSION, "predictions"),
        ("deployments/acme/mine", "deployments/acme/mine/predictions"),
    ],
)
def test_a_model_is_asked_for_by_name_by_version_or_as_a_deployment(model, path):
    for base in ("https://api.replicate.com", "https://api.replicate.com/v1", "https://api.replicate.com/v1/"):
        assert place_of(base, model) == f"https://api.replicate.com/v1/{path}"


@pytest.mark.parametrize("model", ["llama", "acme/../account", "acme/.", "acme/a?b", "acme/a/b", "deployments/acme"])
def test_what_is_no_name_of_a_model_is_no_address_either(model):
    with pytest.raises(CannotExpress) as caught:
        written(model)
    assert caught.value.field == "model"


def test_a_version_stands_in_the_body():
    assert written(f"acme/hello:{VERSION}") == {"version": VERSION, "input": {"prompt": "hi"}}
    assert "version" not in written()


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (LLAMA, {"system_prompt": "Be short.", "max_tokens": 9, "temperature": 0.5, "stop_sequences": "END,FIN"}),
        ("meta/llama-2-7b-chat", {"system_prompt": "Be short.", "max_new_tokens": 9, "temperature": 0.5}),
        ("openai/gpt-4o-mini", {"system_prompt": "Be short.", "max_completion_tokens": 9, "temperature": 0.5}),
        ("google/gemini-2.5-flash", {"system_instruction": "Be short.", "max_output_tokens": 9, "temperature": 0.5}),
        ("acme/unknown", {"max_tokens": 9, "temperature": 0.5}),
    ],
)
def test_each_maker_has_names_of_its_own(model, inputs):
    stop = {"stop": ["END", "FIN"]} if "stop_sequences" in inputs else {}
    prompt = "hi" if model != "acme/unknown" else "Be short.\n\nhi"
    found = written(model, messages=PLAY[:2], max_tokens=9, temperature=0.5, **stop)
    assert found == {"input": {"prompt": prompt, **inputs}}


def test_a_conversation_is_a_play_or_a_list_of_messages():
    play = "User: hi\n\nAssistant: Hello.\n\nUser: Bye?\n\nAssistant:"
    assert written(messages=PLAY)["input"] == {"system_prompt": "Be short.", "prompt": play}
    assert written("openai/gpt-4o-mini", messages=PLAY)["input"] == {"messages": PLAY}


def test_pictures_go_to_models_that_see():
    address = "https://pictures.example/a.png"
    assert written("openai/gpt-4o-mini", messages=PICTURED)["input"] == {"prompt": "see", "image_input": [address]}
    assert written("anthropic/claude-4-sonnet", messages=PICTURED)["input"] == {"prompt": "see", "image": address}
    with pytest.raises(CannotExpress) as caught:
        written(messages=PICTURED)
    assert caught.value.field == "messages.content.image"
    assert written(messages=PICTURED, drops=True)["input"] == {"prompt": "see"}


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"tools": [{"type": "function", "function": {"name": "weather"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"stop": ["a,b"]}, "stop"),
        ({"x_vendor": 1}, "x_vendor"),
    ],
)
def test_what_replicate_cannot_be_told_is_refused_by_its_name_or_left_out(members, field):
    with pytest.raises(CannotExpress) as caught:
        written(**members)
    assert caught.value.field == field
    assert written(drops=True, **members) == {"input": {"prompt": "hi"}}


def test_a_models_own_inputs_may_be_said_outright():
    found = written(input={"min_tokens": 5, "prompt": "mine"})
    assert found == {"input": {"prompt": "mine", "min_tokens": 5}}
    with pytest.raises(BadRequest, match="`input` is an object"):
        written(input=[])


@pytest.mark.parametrize("output", [["Pea", "ce"], "Peace"])
def test_a_prediction_that_is_over_is_an_answer(output):
    reply = read_whole(json.dumps({**SUCCEEDED, "output": output}).encode())
    used = Used(Usage(input=11, output=7))
    assert reply.events == [Begun("p1", LLAMA), TextPiece("Peace"), Finished("stop"), used]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_is_read_in_whatever_pieces_it_comes(size):
    raw = event(b"output", b"Pea\n\nce") + event(PREDICTION, json.dumps(SUCCEEDED, indent=1).encode())
    reader = PredictionReader()
    events = [one for start in range(0, len(raw), size) for one in reader.feed(raw[start : start + size])]
    assert events == [Begun(), TextPiece("Pea\n\nce"), Finished("stop"), Used(Usage(input=11, output=7))]
    assert reader.is_complete


def test_a_stream_that_ends_in_a_failure_says_so():
    reader = PredictionReader()
    failed = {**SUCCEEDED, "status": "failed", "error": "out of memory"}
    assert reader.feed(event(PREDICTION, json.dumps(failed).encode())) == [Failed("out of memory")]
    assert not reader.is_complete


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"title": "Unauthenticated", "detail": "No token", "status": 401}, ("No token", "authentication_error")),
        (422, {"title": "Input validation failed", "detail": "- input: x\n"}, ("- input: x", "invalid_request_error")),
        (502, {"error": "CUDA out of memory", "code": None}, ("CUDA out of memory", "server_error")),
    ],
)
def test_a_refusal_has_replicates_words(status, body, expected):
    failure = REPLICATE.read_refusal(status, json.dumps(body).encode())
    assert (failure.message, failure.type, failure.status) == (*expected, status)


def drawn(model="black-forest-labs/flux-schnell", *, drops=False, **members):
    body = json.dumps({"model": "any", "prompt": "a mosque", **members}).encode()
    raw = Drawing(REPLICATE.painter()).write(body, model, "Replicate", drops_unsupported=drops)
    return json.loads(raw)["input"]


def test_a_wish_for_pictures_is_said_in_inputs():
    assert drawn(n=2, size="1536x1024", output_format="jpeg", user="u1") == {
        "prompt": "a mosque",
        "num_outputs": 2,
        "aspect_ratio": "3:2",
        "output_format": "jpg",
    }
    assert drawn(size="1792x1024")["aspect_ratio"] == "16:9"
    assert drawn(f"stability-ai/sdxl:{VERSION}", size="1024x768") == {
        "prompt": "a mosque",
        "width": 1024,
        "height": 768,
    }
    assert drawn(input={"go_fast": True}) == {"prompt": "a mosque", "go_fast": True}
    for members, field in (({"quality": "hd"}, "quality"), ({"response_format": "b64_json"}, "response_format")):
        with pytest.raises(CannotExpress) as caught:
            drawn(**members)
        assert caught.value.field == field
        assert drawn(drops=True, **members) == {"prompt": "a mosque"}
    with pytest.raises(BadRequest, match="1024x1024"):
        drawn(size="big")


@pytest.mark.parametrize(
    ("output", "data"),
    [
        ([PICTURE, PICTURE], [{"url": PICTURE}, {"url": PICTURE}]),
        (PICTURE, [{"url": PICTURE}]),
        ("data:image/png;base64,iVBO", [{"b64_json": "iVBO"}]),
    ],
)
def test_pictures_are_answered_as_openai_would(output, data):
    body, usage = Drawing(REPLICATE.painter()).answer(json.dumps({**SUCCEEDED, "output": output}).encode())
    assert json.loads(body)["data"] == data
    assert usage == Usage(images=len(data))


@pytest.fixture(scope="module")
def provider():
    with replicate_provider() as found:
        yield found


@pytest.fixture
async def find(provider):
    """An upstream of a model, whose one key is Replicate's."""
    async with EgressClient(Policy(["127.0.0.1"])) as egress:
        record = ProviderRecord("r", "rep", "replicate", provider.url, kind="replicate")
        workshop = Workshop(egress, None, lambda _kind, model: ModelRecord(model, model))
        book = Book(BookRecord("p", [record]), workshop)
        headers = {"content-type": "application/json", **REPLICATE.headers(KEY, {})}

        yield lambda model: (book.find(f"rep/{model}"), Door(OPEN_TO_ALL, KEY, egress, headers))


async def opened(find, model, *, is_stream=False, seconds=30.0):
    upstream, door = find(model)
    assert isinstance(upstream, PredictionUpstream)
    limits = Limits(first_byte_s=seconds, idle_s=seconds, total_s=seconds)
    return await upstream.open(door, "chat", b'{"input":{"prompt":"hi"}}', limits, is_stream=is_stream)


async def streamed(answer):
    reader, raw = PredictionReader(), b""
    while chunk := await answer.next_chunk():
        raw += chunk
    return reader.feed(raw), reader


@pytest.mark.parametrize("model", [LLAMA, "openai/gpt-4o-mini", "meta/llama-2-7b-chat"])
async def test_an_answer_is_asked_about_until_it_is_there(find, model, provider):
    provider.calls.clear()
    answer = await opened(find, model)
    assert (answer.status, json.loads(await answer.read())["status"]) == (200, "succeeded")
    first, *looks = provider.calls
    assert first.headers["prefer"] == "wait=10"
    assert first.headers["cancel-after"] == "30s"
    assert len(looks) == (0 if model.startswith("openai") else 2)
    assert {look.headers["authorization"] for look in looks} <= {f"Bearer {KEY}"}


@pytest.mark.parametrize("model", [LLAMA, "meta/llama-2-7b-chat", "acme/cut"])
async def test_a_stream_is_whole_whether_it_is_offered_broken_off_or_not_there(find, model):
    events, reader = await streamed(await opened(find, model, is_stream=True))
    assert "".join(one.text for one in events if isinstance(one, TextPiece)) == TEXT
    assert [one for one in events if isinstance(one, Used)] == [Used(Usage(input=11, output=7))]
    assert reader.is_complete


async def test_a_prediction_that_fails_is_a_refusal_and_one_that_is_unwanted_another(find):
    failed, unwanted = await opened(find, "acme/failing"), await opened(find, "acme/unwanted")
    assert (failed.status, json.loads(await failed.read())["error"]) == (502, "CUDA out of memory")
    assert (unwanted.status, json.loads(await unwanted.read())["code"]) == (400, "content_policy_violation")
    with pytest.raises(UpstreamFailed, match="CUDA out of memory"):
        await (await opened(find, "acme/failing", is_stream=True)).next_chunk()


@pytest.mark.parametrize("is_stream", [False, True])
async def test_whatever_address_an_answer_names_the_key_stays_with_the_provider(find, provider, is_stream):
    """Nothing listens at the address that it names: had it been called, this would have failed."""
    provider.calls.clear()
    answer = await opened(find, "acme/astray", is_stream=is_stream)
    raw = await answer.read()
    assert b"succeeded" in raw
    looks = [call.path for call in provider.calls if call.path.startswith("GET")]
    assert looks
    assert all(path.startswith("GET /v1/predictions/pw") for path in looks)


async def until_called_off(provider, model):
    for _ in range(500):
        if any(call.path.endswith("/cancel") for call in provider.calls):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{model} was not called off: {[call.path for call in provider.calls]}")


async def test_who_stops_waiting_calls_it_off(find, provider):
    provider.calls.clear()
    waiting = asyncio.create_task(opened(find, "acme/endless"))
    while not any(call.path.startswith("GET") for call in provider.calls):
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until_called_off(provider, "acme/endless")


async def test_who_leaves_a_stream_calls_it_off(find, provider):
    provider.calls.clear()
    answer = await opened(find, "acme/endless", is_stream=True)
    assert await answer.next_chunk()
    answer.close()
    await until_called_off(provider, "acme/endless")


async def test_the_deadline_of_a_call_is_that_of_its_prediction(find, provider):
    provider.calls.clear()
    with pytest.raises(UpstreamTimedOut):
        await opened(find, "acme/endless", seconds=0.5)
    await until_called_off(provider, "acme/endless")


async def test_a_stream_of_replicates_own_host_is_heard_without_the_key():
    heard = []

    class Listening:
        status = 200

    class Watched:
        async def call(self, method, url, limits, headers=(), *, shows_key=True):
            heard.append((method, url, shows_key))
            return Listening()

    for stream in (
        "https://stream.replicate.com/v1/files/abc",
        "https://api.replicate.com/v1/streams/abc",
        "https://evil.example/v1",
        "http://stream.replicate.com/v1",
        "https://replicate.com.evil.example/v1",
    ):
        raw = json.dumps({"id": "p1", "status": "starting", "urls": {"stream": stream}}).encode()
        await Course(Watched(), "https://api.replicate.com/v1", 10.0**9, raw).listen()
    assert heard == [
        ("GET", "https://stream.replicate.com/v1/files/abc", False),
        ("GET", "https://api.replicate.com/v1/streams/abc", True),
    ]
