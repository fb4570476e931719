"""The gateway's POST addresses, and for each a valid body in which as much is said as its format can say."""

from dataclasses import dataclass, field
from typing import Any

PNG = "data:image/png;base64,iVBORw0KGgo="
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_MODELS = ("echo/fast", "echo/tool", "relay/m", "claude/m", "google/m", "cohere/m", "ollama/m", "bedrock/m")


@dataclass(frozen=True)
class Address:
    path: str
    shape: str
    body: dict[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = _MODELS


_CHAT: dict[str, Any] = {
    "model": "echo/fast",
    "messages": [
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "name": "amal",
            "content": [
                {"type": "text", "text": "what?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"city": "x"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": _CITY, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": _CITY, "strict": True}},
    "reasoning_effort": "low",
    "temperature": 0.5,
    "top_p": 0.9,
    "seed": 7,
    "stop": ["END"],
    "n": 1,
    "max_completion_tokens": 50,
    "logit_bias": {"50": 1},
    "stream": True,
    "stream_options": {"include_usage": True},
    "metadata": {"a": "b"},
    "user": "u1",
    "service_tier": "auto",
    "brokle": {"tags": {"a": "b"}, "cache": {"mode": "off", "ttl": 5}, "timeout_ms": 60000, "metadata": True},
    "drop_unsupported": True,
}
_MESSAGES: dict[str, Any] = {
    "model": "echo/fast",
    "max_tokens": 2000,
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "x"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "is_error": False,
                    "content": [{"type": "text", "text": "sunny"}],
                }
            ],
        },
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": _CITY, "strict": True}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": _CITY}},
    "stop_sequences": ["END"],
    "temperature": 1,
    "top_k": 5,
    "metadata": {"user_id": "u1"},
    "service_tier": "auto",
    "stream": True,
    "brokle": {"tags": {"a": "b"}},
    "drop_unsupported": True,
}
_RESPONSES: dict[str, Any] = {
    "model": "echo/fast",
    "instructions": "Be kind.",
    "input": [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "what?"},
                {"type": "input_image", "image_url": PNG, "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"city": "x"}'},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "sunny"}]},
    ],
    "tools": [{"type": "function", "name": "f", "description": "d", "parameters": _CITY, "strict": True}],
    "tool_choice": {"type": "function", "name": "f"},
    "parallel_tool_calls": False,
    "text": {"format": {"type": "json_schema", "name": "n", "schema": _CITY, "strict": True}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 50,
    "temperature": 0.5,
    "top_logprobs": 2,
    "store": False,
    "metadata": {"a": "b"},
    "prompt_cache_key": "k",
    "safety_identifier": "u1",
    "truncation": "auto",
    "stream": True,
    "brokle": {"tags": {"a": "b"}},
    "drop_unsupported": True,
}
_GENERATE: dict[str, Any] = {
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "what?"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://files.example/a.pdf"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True, "thoughtSignature": "cw=="},
                {"functionCall": {"id": "c1", "name": "f", "args": {"city": "x"}}},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {"result": "sunny"}}}]},
    ],
    "systemInstruction": {"parts": [{"text": "Be kind."}]},
    "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {
        "temperature": 0.5,
        "topK": 5,
        "maxOutputTokens": 50,
        "candidateCount": 1,
        "stopSequences": ["END"],
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 100},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "labels": {"a": "b"},
    "brokle": {"tags": {"a": "b"}},
    "drop_unsupported": True,
}
_COMPLETION = {
    "model": "echo/fast",
    "prompt": ["hi"],
    "max_tokens": 5,
    "stop": "END",
    "stream": True,
    "n": 1,
    "seed": 1,
}
_EMBEDDING = {"model": "relay/m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 3, "user": "u1"}
_PICTURE = {"model": "relay/m", "prompt": "dawn", "n": 1, "size": "1024x1024"}
_SPEECH = {"model": "relay/m", "input": "hi", "voice": "alloy", "speed": 1.5}
_RANK = {"model": "relay/m", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1}
_JUDGED = {"model": "relay/m", "input": ["a", {"type": "text", "text": "b"}]}
_EMBEDDERS = ("relay/m", "google/m", "cohere/m", "ollama/m", "bedrock/m", "claude/m")

JSON_ADDRESSES = (
    Address("/v1/chat/completions", "openai", _CHAT),
    Address("/v1/messages", "anthropic", _MESSAGES),
    Address("/v1/responses", "openai", _RESPONSES),
    Address("/v1beta/models/{model}:generateContent", "gemini", _GENERATE),
    Address("/v1beta/models/{model}:streamGenerateContent?alt=sse", "gemini", _GENERATE),
    Address("/v1beta/models/{model}:streamGenerateContent", "gemini", _GENERATE),
    Address("/v1/models/{model}:generateContent", "gemini", _GENERATE, ("echo/fast",)),
    Address("/v1beta/models/{model}:countTokens", "gemini", _GENERATE),
    Address("/v1/messages/count_tokens", "anthropic", _MESSAGES),
    Address("/v1/completions", "openai", _COMPLETION),
    Address("/v1/embeddings", "openai", _EMBEDDING, _EMBEDDERS),
    Address("/v1/rerank", "openai", _RANK, ("relay/m", "cohere/m")),
    Address("/v1/moderations", "openai", _JUDGED, ("relay/m", "echo/fast")),
    Address("/v1/images/generations", "openai", _PICTURE, ("relay/m", "claude/m")),
    Address("/v1/audio/speech", "openai", _SPEECH, ("relay/m", "google/m")),
    Address("/openai/deployments/{model}/chat/completions?api-version=2024-10-21", "openai", _CHAT),
    Address("/openai/v1/responses", "openai", _RESPONSES, ("echo/fast", "claude/m")),
)
FORM_ADDRESSES = ("/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits")
