"""Google's SDK, answered by Gemini byte for byte and by OpenAI's and Anthropic's services in translation."""

import json

import pytest
from google import genai
from google.genai import types
from google.genai.errors import ClientError, ServerError

from tests.fakes import gemini_provider as geminis
from tests.fakes.gemini_provider import COUNTED, TEXT, THOUGHT
from tests.fakes.model_provider import CITIES
from tests.house import BOOTSTRAP_KEY

pytestmark = [pytest.mark.engines]

FLASH = "google/gemini-2.5-flash"
NEWEST = "google/gemini-3-pro-preview"
GPT = "mock/gpt-4o-mini"
CLAUDE = "claude/claude-sonnet-4-5"
EVERYONE = [FLASH, NEWEST, GPT, CLAUDE]
NANOS = 28 * 1_250 + 3 * 310 + 7 * 10_000
CITY = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
WEATHER = types.Tool(function_declarations=[types.FunctionDeclaration(name="weather", parameters=CITY)])


@pytest.fixture(scope="module")
def google(home):
    with genai.Client(
        api_key=BOOTSTRAP_KEY,
        http_options=types.HttpOptions(base_url=home.url, retry_options=types.HttpRetryOptions(attempts=1)),
    ) as found:
        yield found


@pytest.fixture
def post(home):
    def send(model, verb, body, *, query="", **headers):
        headers = headers or {"x-goog-api-key": BOOTSTRAP_KEY}
        raw = json.dumps(body, separators=(",", ":")).encode()
        return home.request("POST", f"/v1beta/models/{model}:{verb}{query}", raw, headers)

    return send


@pytest.mark.case(1, "google")
@pytest.mark.parametrize("model", EVERYONE)
def test_everyone_answers_in_googles_form(google, model):
    config = types.GenerateContentConfig(system_instruction="Be kind.", max_output_tokens=100, temperature=0.5)
    reply = google.models.generate_content(model=model, contents="hi", config=config)
    assert reply.text == TEXT
    assert reply.candidates[0].finish_reason is types.FinishReason.STOP
    assert reply.usage_metadata.total_token_count > 0


@pytest.mark.parametrize("model", EVERYONE)
def test_everyone_streams_in_googles_form(google, model):
    chunks = list(google.models.generate_content_stream(model=model, contents="hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    assert len(chunks) > 3
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count > 0


@pytest.mark.case(14, "google")
@pytest.mark.parametrize("model", [FLASH, NEWEST, "mock/tool-caller", CLAUDE])
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_loop_of_tools_ends_in_words(google, model, is_stream):
    """Both calls, their results given back as the SDK keeps them, and the answer."""
    config = types.GenerateContentConfig(tools=[WEATHER])
    chat = google.chats.create(model=model, config=config)

    def said(message):
        if not is_stream:
            return [chat.send_message(message)]
        return list(chat.send_message_stream(message))

    calls = [call for reply in said("hi") for call in reply.function_calls or ()]
    assert [(call.name, call.args) for call in calls] == [("weather", {"city": city}) for city in CITIES]
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": "sunny"}))
        for call in calls
    ]
    assert "".join(reply.text or "" for reply in said(results)) == TEXT


def test_a_relayed_answer_keeps_its_bytes_and_is_charged_exactly(post, row):
    response = post(FLASH, "generateContent", {"contents": geminis_hi()})
    found = geminis.answer("gemini-2.5-flash", {"contents": geminis_hi()})
    brokle = response.json()["brokle"]
    assert response.body.startswith(geminis.whole(found).rstrip().removesuffix(b"}").rstrip())
    assert brokle["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    assert row(response.headers["x-request-id"])["cost_usd_nanos"] == NANOS


def geminis_hi():
    return [{"role": "user", "parts": [{"text": "hi"}]}]


def test_a_relayed_stream_keeps_its_bytes_and_tells_its_cost_at_the_end(post, row):
    response = post(FLASH, "streamGenerateContent", {"contents": geminis_hi()}, query="?alt=sse")
    found = geminis.answer("gemini-2.5-flash", {"contents": geminis_hi()})
    events = [geminis.event(chunk) for chunk in geminis.chunks(found)]
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.body.startswith(b"".join(events[:-1]))
    last = json.loads(response.body.removeprefix(b"".join(events[:-1])).removeprefix(b"data: "))
    assert last["brokle"]["cost_usd"] == pytest.approx(NANOS / 1e9, abs=1e-12)
    assert row(response.headers["x-request-id"])["cost_usd_nanos"] == NANOS


@pytest.mark.parametrize("model", [FLASH, GPT])
def test_a_stream_that_is_no_event_stream_is_one_list(post, model):
    response = post(model, "streamGenerateContent", {"contents": geminis_hi()})
    chunks = response.json()
    assert response.headers["content-type"] == "application/json"
    texts = [part.get("text", "") for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    assert "".join(texts) == TEXT
    assert "brokle" in chunks[-1]


@pytest.mark.case(18, "raw")
def test_what_reaches_gemini_is_the_callers_body_with_the_providers_key(post, gemini):
    gemini.calls.clear()
    body = {"contents": geminis_hi(), "labels": {"a": "b"}, "brokle": {"tags": {"a": "b"}}}
    assert post("google-v1beta/gemini-2.5-flash", "generateContent", body).status == 200
    [call] = gemini.calls
    assert call.raw == b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"labels":{"a":"b"}}'
    assert call.headers["x-goog-api-key"] == geminis.KEY


@pytest.mark.parametrize("model", [NEWEST, CLAUDE])
def test_thoughts_are_shown_and_taken_back(google, model):
    """Claude's stand in Google's form, and go back as Claude sealed them."""
    config = types.GenerateContentConfig(
        tools=[WEATHER], thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2000)
    )
    chat = google.chats.create(model=model, config=config)
    reply = chat.send_message("hi")
    [thought] = [part for part in reply.candidates[0].content.parts if part.thought]
    assert thought.text == THOUGHT
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "sunny"}))
        for call in reply.function_calls
    ]
    assert chat.send_message(results).text == TEXT


@pytest.mark.case(17, "google")
def test_a_shape_is_asked_of_claude(google):
    schema = types.GenerateContentConfig(response_mime_type="application/json", response_schema=CITY)
    assert json.loads(google.models.generate_content(model=CLAUDE, contents="hi", config=schema).text) == {
        "city": "Cairo"
    }


def test_tokens_are_counted_by_who_knows_them_else_estimated(google, post):
    assert google.models.count_tokens(model=FLASH, contents="hi").total_tokens == COUNTED
    assert 0 < google.models.count_tokens(model=GPT, contents="hi").total_tokens < 20
    whole = {"generateContentRequest": {"model": "models/any", "contents": geminis_hi()}}
    assert post(FLASH, "countTokens", whole).json()["totalTokens"] == COUNTED
    assert post(GPT, "countTokens", whole).headers["x-brokle-estimated"] == "true"


@pytest.mark.case(7, "google")
@pytest.mark.case(9, "google")
def test_errors_have_googles_shape_and_the_providers_words(google):
    with pytest.raises(ClientError, match="Quota exceeded") as limited:
        google.models.generate_content(model="google/gemini-limited", contents="hi")
    assert (limited.value.code, limited.value.status) == (429, "RESOURCE_EXHAUSTED")
    with pytest.raises(ClientError, match="slow down") as other:
        google.models.generate_content(model="mock/rate-limited", contents="hi")
    assert (other.value.code, other.value.status) == (429, "RESOURCE_EXHAUSTED")
    with pytest.raises(ServerError, match="Overloaded") as busy:
        google.models.generate_content(model="claude/claude-overloaded", contents="hi")
    assert (busy.value.code, busy.value.status) == (529, "UNAVAILABLE")
    with pytest.raises(ClientError) as unknown:
        google.models.generate_content(model="nobody/knows", contents="hi")
    assert (unknown.value.code, unknown.value.status) == (404, "NOT_FOUND")
    setting = types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")
    config = types.GenerateContentConfig(safety_settings=[setting])
    with pytest.raises(ClientError, match="safetySettings") as unspoken:
        google.models.generate_content(model=GPT, contents="hi", config=config)
    assert unspoken.value.code == 400


@pytest.mark.case(6, "google")
@pytest.mark.parametrize("model", ["google/gemini-error-within", "claude/claude-error-within", "mock/error-within"])
def test_an_error_inside_a_stream_is_raised(google, model):
    with pytest.raises((ServerError, ClientError), match=r"(?i)overloaded"):
        list(google.models.generate_content_stream(model=model, contents="hi"))


@pytest.mark.case(5, "google")
@pytest.mark.parametrize("model", ["google/gemini-cut", "google/gemini-ended-unsaid", "mock/cut"])
def test_a_stream_that_breaks_off_is_raised_and_recorded(google, post, row, model):
    with pytest.raises(ServerError, match="broke off"):
        list(google.models.generate_content_stream(model=model, contents="hi"))
    response = post(model, "streamGenerateContent", {"contents": geminis_hi()})
    assert response.json()[-1]["error"]["message"] == "The upstream service broke off its answer"
    assert row(response.headers["x-request-id"])["error_code"] == "upstream_interrupted"


@pytest.mark.case(10, "raw")
def test_a_key_belongs_into_a_header(post):
    body = {"contents": geminis_hi()}
    response = post(FLASH, "generateContent", body, query=f"?key={BOOTSTRAP_KEY}", accept="*/*")
    assert (response.status, response.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert "x-goog-api-key" in response.json()["error"]["message"]
    assert BOOTSTRAP_KEY.encode() not in response.body


@pytest.mark.case(11, "raw")
@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("generateContent", {}, 400),
        ("generateContent", {"contents": "hi"}, 400),
        ("generateContent", {"contents": geminis_hi(), "generationConfig": {"maxOutputTokens": "many"}}, 400),
        ("predict", {"contents": geminis_hi()}, 404),
    ],
)
def test_nonsense_is_refused_in_googles_shape(post, verb, body, status):
    response = post(FLASH, verb, body)
    assert (response.status, response.json()["error"]["code"]) == (status, status)


def test_the_seal_of_a_call_reaches_the_caller(google):
    reply = google.models.generate_content(
        model=NEWEST, contents="hi", config=types.GenerateContentConfig(tools=[WEATHER])
    )
    [first, second] = reply.candidates[0].content.parts
    assert (first.thought_signature, second.thought_signature) == (b"sealed by Gemini", None)


@pytest.mark.parametrize(
    "model", ["google/gemini-embedding-001", "mock/embedder", "cohere/embed-v4.0", "cloud/gemini-embedding-001"]
)
def test_everyones_vectors_come_in_googles_form(google, post, row, model):
    found = google.models.embed_content(model=model, contents=["a", "سلام"])
    assert [len(one.values) for one in found.embeddings] == [len(found.embeddings[0].values)] * 2
    assert found.embeddings[0].values[:2] == [0.25, -0.5]
    single = post(model, "embedContent", {"content": {"parts": [{"text": "a"}]}})
    assert single.json()["embedding"]["values"] == found.embeddings[0].values
    line = row(single.headers["x-request-id"])
    assert (line["endpoint"], line["status"], line["output_tokens"]) == ("embedContent", 200, 0)
    assert line["input_tokens"] > 0


def test_vectors_asked_of_gemini_pass_as_they_came(google, post, gemini):
    gemini.calls.clear()
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=2)
    found = google.models.embed_content(model="google/gemini-embedding-001", contents="a", config=config)
    assert found.embeddings[0].values == [0.25, -0.5]
    [asked] = gemini.calls[-1].body["requests"]
    assert (asked["taskType"], asked["model"]) == ("RETRIEVAL_QUERY", "models/gemini-embedding-001")
    body = {"content": {"parts": [{"text": "a"}]}, "title": "t"}
    assert post("google/gemini-embedding-001", "embedContent", body).status == 200
    assert gemini.calls[-1].raw == json.dumps(body, separators=(",", ":")).encode()


def test_what_texts_are_for_reaches_who_has_a_word_for_it(google, cohere, gemini):
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY")
    google.models.embed_content(model="cohere/embed-v4.0", contents=["a", "b"], config=config)
    assert cohere.calls[-1].body["input_type"] == "search_query"
    config = types.EmbedContentConfig(task_type="RETRIEVAL_DOCUMENT", title="of a")
    google.models.embed_content(model="cloud/gemini-embedding-001", contents="a", config=config)
    assert gemini.calls[-1].body["instances"] == [{"content": "a", "task_type": "RETRIEVAL_DOCUMENT", "title": "of a"}]
    with pytest.raises(ClientError, match="title"):
        google.models.embed_content(model="cohere/embed-v4.0", contents="a", config=config)


def test_what_only_google_knows_of_vectors_is_400_elsewhere(google, post):
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY")
    with pytest.raises(ClientError, match="taskType"):
        google.models.embed_content(model="mock/embedder", contents="a", config=config)
    body = {"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY", "drop_unsupported": True}
    assert post("mock/embedder", "embedContent", body).status == 200
    with pytest.raises(ClientError, match="batchEmbedContents"):
        google.models.embed_content(model=CLAUDE, contents="a")
    assert post(FLASH, "embedContent", {}).json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.case(10, "google")
def test_a_wrong_key_is_a_client_error(home):
    options = types.HttpOptions(base_url=home.url, retry_options=types.HttpRetryOptions(attempts=1))
    with (
        genai.Client(api_key="bk_test_wrong_0123456789abcdef", http_options=options) as stranger,
        pytest.raises(ClientError) as caught,
    ):
        stranger.models.generate_content(model=GPT, contents="hi")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")


@pytest.mark.case(12, "google")
def test_who_leaves_stops_the_upstream(home, provider, row):
    """The client hangs up where its stream is closed."""
    provider.calls.clear()
    options = types.HttpOptions(base_url=home.url)
    with genai.Client(api_key=BOOTSTRAP_KEY, http_options=options) as leaving:
        stream = leaving.models.generate_content_stream(model="mock/endless", contents="hi")
        request_id = next(stream).sdk_http_response.headers["x-request-id"]
        for _ in range(4):
            next(stream)
        stream.close()
    home.wait_for(lambda: provider.calls[0].was_left)
    found = row(request_id)
    assert (found["status"], found["error_code"]) == (499, "client_closed_request")
    assert 0 < found["output_tokens"] < 100


@pytest.mark.case(18, "google")
def test_members_that_only_google_knows_reach_it(google, gemini):
    gemini.calls.clear()
    config = types.GenerateContentConfig(seed=7, http_options=types.HttpOptions(extra_body={"labels": {"a": "b"}}))
    google.models.generate_content(model=FLASH, contents="hi", config=config)
    [call] = gemini.calls
    assert (call.body["labels"], call.body["generationConfig"]["seed"]) == ({"a": "b"}, 7)


@pytest.mark.case(21, "google")
def test_a_route_goes_on_to_who_answers(google):
    assert google.models.generate_content(model="safe", contents="hi").text == TEXT
    chunks = list(google.models.generate_content_stream(model="safe-stream", contents="hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    with pytest.raises(ServerError, match="broke off"):
        list(google.models.generate_content_stream(model="late", contents="hi"))
