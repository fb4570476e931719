"""The same wish in every format of callers, said to every provider: it must not matter in which words it came.

What each provider is told for OpenAI's words is judged by its own SDK in the tests of its dialect.
"""

import json

import pytest

from apps.routing.edge.dialects.anthropic.messages import MessagesFormat
from apps.routing.edge.dialects.catalog import DIALECTS, dialect_of
from apps.routing.edge.dialects.gemini.generate import GenerateFormat
from apps.routing.edge.dialects.openai.chat import ChatFormat
from apps.routing.edge.dialects.responses.responses import ResponsesFormat
from apps.routing.edge.dialects.speech import CannotExpress
from brokle.edge.http import Request

PNG = "iVBORw0KGgo="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**CITY, "additionalProperties": False}
MODELS = {
    "openai": "gpt-5",
    "azure": "gpt-5",
    "huggingface": "meta-llama/Llama-3.3-70B-Instruct",
    "mistral": "mistral-large-latest",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "vertex": "gemini-2.5-flash",
    "bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "cohere": "command-a-03-2025",
    "ollama": "qwen3:8b",
    "replicate": "openai/gpt-4o-mini",
}
FORMATS = {
    "chat": (ChatFormat(), "/v1/chat/completions"),
    "messages": (MessagesFormat(), "/v1/messages"),
    "responses": (ResponsesFormat(), "/v1/responses"),
    "generate": (GenerateFormat(), "/v1beta/models/m:generateContent"),
}


def chat(*messages, **members):
    return {"model": "m", "max_tokens": 90, "messages": list(messages), **members}


def messages(*told, **members):
    return {"model": "m", "max_tokens": 90, "messages": list(told), **members}


def responses(*items, **members):
    return {"model": "m", "max_output_tokens": 90, "input": list(items), "store": False, **members}


def generate(*contents, config=None, **members):
    return {"contents": list(contents), "generationConfig": {"maxOutputTokens": 90, **(config or {})}, **members}


def user(text="hi"):
    return {"role": "user", "content": text}


def said(text="hi", role="user"):
    return {"role": role, "parts": [{"text": text}]}


def function(name="weather"):
    return {"name": name, "description": "of a city", "parameters": CITY}


_CHAT_TOOLS = [{"type": "function", "function": function()}]
_CLAUDE_TOOLS = [{"name": "weather", "description": "of a city", "input_schema": CITY}]
_RESPONSES_TOOLS = [{"type": "function", **function(), "strict": None}]
_DECLARED = {"name": "weather", "description": "of a city", "parametersJsonSchema": CITY}
_GEMINI_TOOLS = [{"functionDeclarations": [_DECLARED]}]
_CALLED = [("c1", "Cairo", "warm"), ("c2", "مكة", "hot")]


def _arguments(city):
    return json.dumps({"city": city}, ensure_ascii=False, separators=(",", ":"))


WISHES = {
    "words": {
        "chat": chat(
            {"role": "system", "content": "Be short."}, user(), {"role": "assistant", "content": "Yes?"}, user("bye")
        ),
        "messages": messages(user(), {"role": "assistant", "content": "Yes?"}, user("bye"), system="Be short."),
        "responses": responses(user(), {"role": "assistant", "content": "Yes?"}, user("bye"), instructions="Be short."),
        "generate": generate(
            said(), said("Yes?", "model"), said("bye"), systemInstruction={"parts": [{"text": "Be short."}]}
        ),
    },
    "drawing": {
        "chat": chat(user(), temperature=0.5, stop=["END"]),
        "messages": messages(user(), temperature=0.5, stop_sequences=["END"]),
        "generate": generate(said(), config={"temperature": 0.5, "stopSequences": ["END"]}),
    },
    "tools": {
        "chat": chat(user(), tools=_CHAT_TOOLS, tool_choice="required"),
        "messages": messages(user(), tools=_CLAUDE_TOOLS, tool_choice={"type": "any"}),
        "responses": responses(user(), tools=_RESPONSES_TOOLS, tool_choice="required"),
        "generate": generate(said(), tools=_GEMINI_TOOLS, toolConfig={"functionCallingConfig": {"mode": "ANY"}}),
    },
    "named tool": {
        "chat": chat(user(), tools=_CHAT_TOOLS, tool_choice={"type": "function", "function": {"name": "weather"}}),
        "messages": messages(user(), tools=_CLAUDE_TOOLS, tool_choice={"type": "tool", "name": "weather"}),
        "responses": responses(user(), tools=_RESPONSES_TOOLS, tool_choice={"type": "function", "name": "weather"}),
        "generate": generate(
            said(),
            tools=_GEMINI_TOOLS,
            toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        ),
    },
    "results of two calls": {
        "chat": chat(
            user(),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": one, "type": "function", "function": {"name": "weather", "arguments": _arguments(city)}}
                    for one, city, _ in _CALLED
                ],
            },
            *({"role": "tool", "tool_call_id": one, "content": found} for one, _, found in _CALLED),
            tools=_CHAT_TOOLS,
        ),
        "messages": messages(
            user(),
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": one, "name": "weather", "input": {"city": city}}
                    for one, city, _ in _CALLED
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": one, "content": found} for one, _, found in _CALLED],
            },
            tools=_CLAUDE_TOOLS,
        ),
        "responses": responses(
            user(),
            *(
                {"type": "function_call", "call_id": one, "name": "weather", "arguments": _arguments(city)}
                for one, city, _ in _CALLED
            ),
            *({"type": "function_call_output", "call_id": one, "output": found} for one, _, found in _CALLED),
            tools=_RESPONSES_TOOLS,
        ),
        "generate": generate(
            said(),
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"id": one, "name": "weather", "args": {"city": city}}} for one, city, _ in _CALLED
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": one, "name": "weather", "response": {"result": found}}}
                    for one, _, found in _CALLED
                ],
            },
            tools=_GEMINI_TOOLS,
        ),
    },
    "a shape": {
        "chat": chat(
            user(),
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": CLOSED, "strict": True},
            },
        ),
        "messages": messages(user(), output_config={"format": {"type": "json_schema", "schema": CLOSED}}),
        "responses": responses(
            user(), text={"format": {"type": "json_schema", "name": "answer", "schema": CLOSED, "strict": True}}
        ),
        "generate": generate(said(), config={"responseMimeType": "application/json", "responseJsonSchema": CLOSED}),
    },
    "a picture": {
        "chat": chat(
            user(
                [
                    {"type": "text", "text": "see"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ]
            )
        ),
        "messages": messages(
            user(
                [
                    {"type": "text", "text": "see"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                ]
            )
        ),
        "responses": responses(
            user(
                [
                    {"type": "input_text", "text": "see"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
                ]
            )
        ),
        "generate": generate(
            {"role": "user", "parts": [{"text": "see"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]}
        ),
    },
    "thinking": {
        "chat": chat(user(), reasoning_effort="low"),
        "responses": responses(user(), reasoning={"effort": "low"}),
    },
    "probabilities": {
        "chat": chat(user(), logprobs=True, top_logprobs=2),
        "generate": generate(said(), config={"responseLogprobs": True, "logprobs": 2}),
    },
    "marks of the cache": {
        "chat": chat(user([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}])),
        "messages": messages(
            user([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
        ),
    },
}
UNTOLD = {
    "drawing": {"replicate": "stop"},
    "tools": {"ollama": "tool_choice", "replicate": "tools"},
    "named tool": {"ollama": "tool_choice", "replicate": "tools"},
    "results of two calls": {"replicate": "messages"},
    "a shape": {"replicate": "response_format"},
    "thinking": {"cohere": "reasoning_effort", "replicate": "reasoning_effort"},
    "probabilities": dict.fromkeys(("anthropic", "bedrock", "cohere", "replicate"), "logprobs"),
}
"""Of these models; the rest of their makers may differ."""
# Of a shape only its schema counts: not every format has a name for it, or a word for how strictly it is kept.
NAMELESS = {"name", "strict"}


def told(spoken, dialect, wish):
    """What the provider is asked, or the name of what it cannot be told."""
    form, path = FORMATS[spoken]
    request = Request({"method": "POST", "path": path, "headers": []}, None, None)
    ask = form.read_ask(request, json.dumps(WISHES[wish][spoken]).encode())
    model = MODELS[dialect]
    try:
        return json.loads(dialect_of(dialect, model).write_request(ask.conversation(), model))
    except CannotExpress as error:
        return error.field.partition(".")[0]


def plain(held, wish):
    if wish != "a shape" or not isinstance(held, dict | list):
        return held
    if isinstance(held, list):
        return [plain(one, wish) for one in held]
    return {name: plain(one, wish) for name, one in held.items() if name not in NAMELESS}


PAIRS = [
    (wish, spoken, dialect)
    for wish, said_in in WISHES.items()
    for spoken in said_in
    for dialect in MODELS
    if spoken != "chat"
]


@pytest.mark.parametrize(("wish", "spoken", "dialect"), PAIRS)
def test_it_does_not_matter_in_which_words_a_wish_came(wish, spoken, dialect):
    assert plain(told(spoken, dialect, wish), wish) == plain(told("chat", dialect, wish), wish)


@pytest.mark.parametrize("wish", WISHES)
def test_only_these_cannot_be_told_what_is_wished(wish):
    refused = {dialect: found for dialect in MODELS if isinstance(found := told("chat", dialect, wish), str)}
    assert refused == UNTOLD.get(wish, {})


def test_every_dialect_is_asked():
    assert DIALECTS.keys() - MODELS.keys() == {"openai-compatible", "echo"}
