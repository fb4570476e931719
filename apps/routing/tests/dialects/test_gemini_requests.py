"""From OpenAI's and Anthropic's words to Gemini's, each request judged by the types of Google's SDK."""

import json

import pytest

from apps.routing.edge.dialects.anthropic.requests import read_request as read_messages
from apps.routing.edge.dialects.gemini.conversations import write_request
from apps.routing.edge.dialects.openai.requests import read_request as read_chat
from apps.routing.edge.dialects.speech import CannotExpress
from tests.fakes.gemini_provider import SEAL, UNSEALED, check

FLASH = "gemini-2.5-flash"
NEWEST = "gemini-3-pro-preview"
PNG = "iVBORw0KGgo="
HI = [{"role": "user", "content": "hi"}]
SAID_HI = [{"role": "user", "parts": [{"text": "hi"}]}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": CITY}}


def written(model=FLASH, *, drops=False, messages=HI, **members):
    body = json.dumps({"model": "any", "messages": messages, **members}).encode()
    conversation = read_chat(body, is_stream=False, drops_unsupported=drops)
    return check(model, write_request(conversation, model, title="Gemini"))


def written_from_anthropic(model=NEWEST, **members):
    body = json.dumps({"model": "any", "max_tokens": 100, **members}).encode()
    conversation = read_messages(body, is_stream=False, drops_unsupported=False)
    return check(model, write_request(conversation, model, title="Gemini"))


def refused(model=FLASH, **members):
    with pytest.raises(CannotExpress) as caught:
        written(model, **members)
    return caught.value.field


def test_a_word_becomes_a_content():
    assert written() == {"contents": SAID_HI}


def test_what_the_system_says_stands_apart():
    messages = [{"role": "system", "content": "Be short."}, {"role": "developer", "content": "Be kind."}, *HI]
    assert written(messages=messages)["systemInstruction"] == {"parts": [{"text": "Be short."}, {"text": "Be kind."}]}


@pytest.mark.parametrize(
    ("url", "part"),
    [
        (f"data:image/webp;base64,{PNG}", {"inlineData": {"mimeType": "image/webp", "data": PNG}}),
        (PNG, {"inlineData": {"mimeType": "image/png", "data": PNG}}),
        (
            "https://pictures.example/a.JPG?size=1",
            {"fileData": {"fileUri": "https://pictures.example/a.JPG?size=1", "mimeType": "image/jpeg"}},
        ),
        ("https://pictures.example/a", {"fileData": {"fileUri": "https://pictures.example/a"}}),
    ],
)
def test_pictures_come_inside_or_by_address(url, part):
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    [content] = written(messages=[{"role": "user", "content": parts}])["contents"]
    assert content["parts"] == [{"text": "what?"}, part]


def test_sound_and_files_come_inside():
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    pdf = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    kept = {"type": "file", "file": {"file_id": "https://files.example/v1beta/files/abc"}}
    [content] = written(messages=[{"role": "user", "content": [sound, pdf, kept]}])["contents"]
    assert content["parts"] == [
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        {"fileData": {"fileUri": "https://files.example/v1beta/files/abc"}},
    ]


def test_tools_keep_their_schema_as_json_schema():
    body = written(tools=[WEATHER])
    declaration = {"name": "weather", "description": "of a city", "parametersJsonSchema": CITY}
    assert body["tools"] == [{"functionDeclarations": [declaration]}]
    assert "toolConfig" not in body


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
        ),
    ],
)
def test_a_choice_of_tools_has_its_mode(choice, config):
    assert written(tools=[WEATHER], tool_choice=choice)["toolConfig"] == {"functionCallingConfig": config}


def test_strict_tools_are_validated():
    strict = {"type": "function", "function": {**WEATHER["function"], "strict": True}}
    assert written(tools=[strict])["toolConfig"]["functionCallingConfig"] == {"mode": "VALIDATED"}


def called(*calls, extra=None):
    entries = [
        {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": arguments}}
        for call_id, arguments in calls
    ]
    if extra:
        entries[0]["extra_content"] = extra
    return {"role": "assistant", "content": None, "tool_calls": entries}


def result(call_id, content="sunny"):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def test_calls_and_results_keep_ids_names_and_order():
    messages = [
        *HI,
        called(("a", '{"city": "Cairo"}'), ("b", "not json")),
        {"role": "user", "content": "and?"},
        result("a"),
        result("b", '{"sky": "blue"}'),
    ]
    contents = written(messages=messages, tools=[WEATHER])["contents"]
    assert contents[1] == {
        "role": "model",
        "parts": [
            {"functionCall": {"id": "a", "name": "weather", "args": {"city": "Cairo"}}},
            {"functionCall": {"id": "b", "name": "weather", "args": {"arguments": "not json"}}},
        ],
    }
    assert contents[2]["parts"] == [
        {"functionResponse": {"id": "a", "name": "weather", "response": {"result": "sunny"}}},
        {"functionResponse": {"id": "b", "name": "weather", "response": {"sky": "blue"}}},
        {"text": "and?"},
    ]


def test_a_call_goes_back_with_the_seal_it_came_with():
    extra = {"google": {"thought_signature": SEAL}}
    messages = [*HI, called(("a", "{}"), ("b", "{}"), extra=extra), result("a"), result("b")]
    calls = written(NEWEST, messages=messages)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in calls] == [SEAL, None]


def test_a_call_that_another_model_made_says_that_nobody_sealed_it():
    messages = [*HI, called(("a", "{}"), ("b", "{}")), result("a"), result("b")]
    calls = written(NEWEST, messages=messages)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in calls] == [UNSEALED, None]


def test_a_seal_travels_through_anthropics_thoughts_and_claudes_own_stays_behind():
    def messages(signature):
        return [
            *HI,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": signature},
                    {"type": "tool_use", "id": "a", "name": "weather", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "a", "content": "no", "is_error": True}],
            },
        ]

    contents = written_from_anthropic(messages=messages(f"gemini:{SEAL}"))["contents"]
    assert contents[1]["parts"] == [
        {"functionCall": {"id": "a", "name": "weather", "args": {}}, "thoughtSignature": SEAL}
    ]
    assert contents[2]["parts"][0]["functionResponse"]["response"] == {"error": "no"}
    [call] = written_from_anthropic(messages=messages("c2VhbGVkIGJ5IENsYXVkZQ=="))["contents"][1]["parts"]
    assert call["thoughtSignature"] == UNSEALED


def test_a_seal_of_text_is_a_part_of_its_own():
    blocks = [{"type": "thinking", "thinking": "", "signature": f"gemini:{SEAL}"}, {"type": "text", "text": "so"}]
    messages = [*HI, {"role": "assistant", "content": blocks}, *HI]
    parts = written_from_anthropic(messages=messages)["contents"][1]["parts"]
    assert parts == [{"text": "", "thoughtSignature": SEAL}, {"text": "so"}]


def test_wishes_about_the_answer_have_their_names():
    body = written(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        max_completion_tokens=50,
        stop=["END"],
        n=2,
        logprobs=True,
        top_logprobs=3,
        modalities=["text", "image"],
        service_tier="flex",
        user="u1",
    )
    assert body["generationConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "seed": 7,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "maxOutputTokens": 50,
        "stopSequences": ["END"],
        "candidateCount": 2,
        "responseModalities": ["TEXT", "IMAGE"],
        "responseLogprobs": True,
        "logprobs": 3,
    }
    assert body["serviceTier"] == "flex"


def test_a_shape_is_a_json_schema():
    shape = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY, "strict": True}}
    config = written(response_format=shape)["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": CITY}
    assert written(response_format={"type": "json_object"})["generationConfig"] == {
        "responseMimeType": "application/json"
    }
    assert written(NEWEST, response_format=shape, tools=[WEATHER])["generationConfig"] == config
    assert refused(response_format=shape, tools=[WEATHER]) == "response_format"


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        (FLASH, "low", {"includeThoughts": True, "thinkingBudget": 1024}),
        (FLASH, "high", {"includeThoughts": True, "thinkingBudget": 24_576}),
        (FLASH, "none", {"thinkingBudget": 0}),
        (NEWEST, "low", {"includeThoughts": True, "thinkingLevel": "low"}),
        ("gemini-flash-latest", "xhigh", {"includeThoughts": True, "thinkingLevel": "high"}),
    ],
)
def test_effort_is_said_as_the_generation_understands_it(model, effort, config):
    assert written(model, reasoning_effort=effort)["generationConfig"] == {"thinkingConfig": config}


def test_a_number_of_tokens_is_passed_on():
    body = written_from_anthropic(FLASH, messages=HI, thinking={"type": "enabled", "budget_tokens": 2000})
    assert body["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 2000}


@pytest.mark.parametrize(
    ("model", "members", "field"),
    [
        (FLASH, {"logit_bias": {"1": 2}}, "logit_bias"),
        (FLASH, {"metadata": {"a": "b"}}, "metadata"),
        (FLASH, {"x_vendor": 1}, "x_vendor"),
        (FLASH, {"tools": [WEATHER], "parallel_tool_calls": False}, "parallel_tool_calls"),
        (FLASH, {"service_tier": "scale"}, "service_tier"),
        (FLASH, {"google": {"mood": 1}}, "google.mood"),
        (NEWEST, {"reasoning_effort": "none"}, "reasoning_effort"),
        ("gemini-2.5-pro", {"reasoning_effort": "none"}, "reasoning_effort"),
        ("gemini-2.0-flash", {"reasoning_effort": "low"}, "reasoning_effort"),
    ],
)
def test_what_gemini_has_no_word_for_is_refused_by_name_or_left_out(model, members, field):
    assert refused(model, **members) == field
    assert written(model, drops=True, **members)["contents"] == SAID_HI


def test_googles_own_words_are_taken_from_who_knows_them():
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    google = {
        "thinking_config": {"include_thoughts": True, "thinking_budget": 100},
        "cached_content": "cachedContents/1",
    }
    body = written(safety_settings=safety, google=google, store=False, prompt_cache_key="k")
    assert body == {
        "contents": SAID_HI,
        "safetySettings": safety,
        "cachedContent": "cachedContents/1",
        "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 100}},
    }
