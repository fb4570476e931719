"""Streams in the form that Google's public documentation shows, each judged by the types of its SDK."""

import json

import pytest
from google.genai.types import GenerateContentResponse

from apps.routing.edge.conversation import Media
from apps.routing.edge.dialects.anthropic.streams import MessagesWriter
from apps.routing.edge.dialects.gemini.replies import read_whole
from apps.routing.edge.dialects.gemini.streams import GenerateReader
from apps.routing.edge.dialects.openai.streams import ChatWriter
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
)
from apps.routing.edge.usage import Usage

HEAD = {"modelVersion": "gemini-2.5-flash", "responseId": "r1"}
BEGUN = Begun("r1", "gemini-2.5-flash")
SEAL = "CiQBVKhc7g=="


def part(part, finish=None, index=0, **usage):
    candidate = {"content": {"parts": [part], "role": "model"}, "index": index}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], **HEAD} | ({"usageMetadata": usage} if usage else {})


def transcript(*chunks):
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)


WORDS = transcript(
    part({"text": "Hel"}, promptTokenCount=7, totalTokenCount=7),
    part({"text": "lo"}, "STOP", promptTokenCount=7, candidatesTokenCount=9, totalTokenCount=16),
)
THOUGHTS = transcript(
    part({"text": "**Hm**", "thought": True}, promptTokenCount=20, thoughtsTokenCount=4, totalTokenCount=24),
    part({"text": "21"}),
    part(
        {"text": "", "thoughtSignature": SEAL},
        "MAX_TOKENS",
        promptTokenCount=20,
        cachedContentTokenCount=8,
        candidatesTokenCount=2,
        thoughtsTokenCount=30,
        totalTokenCount=52,
    ),
)
CALLS = transcript(
    part({"functionCall": {"id": "c1", "name": "weather", "args": {"city": "مكة"}}, "thoughtSignature": SEAL}),
    part({"functionCall": {"id": "c2", "name": "clock"}}, "STOP", promptTokenCount=5, candidatesTokenCount=4),
)
PICTURE = transcript(
    part({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}),
    part(
        {"text": ""},
        "STOP",
        promptTokenCount=300,
        candidatesTokenCount=1300,
        promptTokensDetails=[
            {"modality": "TEXT", "tokenCount": 42},
            {"modality": "IMAGE", "tokenCount": 258},
        ],
        candidatesTokensDetails=[{"modality": "IMAGE", "tokenCount": 1290}],
    ),
)
BLOCKED = transcript(
    {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}, "usageMetadata": {"promptTokenCount": 4}}
)
UNSAFE = transcript(part({"text": "So"}), {"candidates": [{"finishReason": "SAFETY", "index": 0}], **HEAD})
TWO = transcript(
    part({"text": "a"}, index=0), part({"text": "b"}, "STOP", index=1), part({"text": "c"}, "STOP", index=0)
)
SEALED = ThoughtPiece(signature=f"gemini:{SEAL}")
SAID = {
    "words": (WORDS, [BEGUN, TextPiece("Hel"), TextPiece("lo"), Finished("stop")], Usage(input=7, output=9)),
    "thoughts": (
        THOUGHTS,
        [BEGUN, ThoughtPiece("**Hm**"), TextPiece("21"), SEALED, Finished("length")],
        Usage(input=12, cache_read=8, output=2, reasoning=30),
    ),
    "calls": (
        CALLS,
        [
            BEGUN,
            ToolBegun(0, "c1", "weather", 0, SEAL),
            ArgumentsPiece(0, json.dumps({"city": "مكة"})),
            ToolBegun(1, "c2", "clock"),
            ArgumentsPiece(1, "{}"),
            Finished("tool_calls"),
        ],
        Usage(input=5, output=4),
    ),
    "a picture": (
        PICTURE,
        [BEGUN, MediaPiece(Media("image", "image/png", "iVBORw0KGgo=")), Finished("stop")],
        Usage(input=42, image_input=258, output=10, image_output=1290),
    ),
    "a question not let through": (
        BLOCKED,
        [Begun(), RefusalPiece("No."), Finished("content_filter")],
        Usage(input=4),
    ),
    "an answer that is unsafe": (UNSAFE, [BEGUN, TextPiece("So"), Finished("content_filter")], None),
    "two candidates": (
        TWO,
        [BEGUN, TextPiece("a"), TextPiece("b", 1), Finished("stop", 1), TextPiece("c"), Finished("stop")],
        None,
    ),
}


@pytest.mark.parametrize(("raw", "expected", "usage"), SAID.values(), ids=SAID)
def test_a_transcript_is_read_as_it_is_meant(raw, expected, usage):
    for _, data in Events().feed(raw):
        GenerateContentResponse.model_validate_json(data)

    reader = GenerateReader()
    events = reader.feed(raw[:50]) + reader.feed(raw[50:]) + reader.finish()
    assert [event for event in events if not isinstance(event, Used)] == expected
    used = [event.usage for event in events if isinstance(event, Used)]
    assert (used[-1] if used else None) == usage
    assert reader.is_complete


def test_a_stream_that_ends_without_a_reason_is_not_complete_and_its_usage_an_estimate():
    reader = GenerateReader()
    events = reader.feed(transcript(part({"text": "so far"}, promptTokenCount=7)))
    assert events[-1] == Used(Usage(input=7, is_estimated=True))
    assert not reader.is_complete


def test_an_error_in_a_stream_has_googles_words():
    error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    [event] = GenerateReader().feed(transcript({"error": error}))
    assert event == Failed("The model is overloaded.", "server_error", "UNAVAILABLE", status=503)


def test_sound_that_was_cached_is_counted_once():
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "toolUsePromptTokenCount": 10,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 80}, {"modality": "TEXT", "tokenCount": 20}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}, {"modality": "TEXT", "tokenCount": 10}],
        "candidatesTokenCount": 30,
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 25}],
    }
    body = json.dumps(part({"text": "a"}, "STOP", **usage)).encode()
    GenerateContentResponse.model_validate_json(body)
    used = read_whole(body).events[-1]
    assert used == Used(Usage(input=20, cache_read=60, audio_input=30, output=5, audio_output=25))


def test_log_probabilities_have_openais_form():
    chunk = part({"text": "Hi"}, "STOP")
    token = {"token": "Hi", "tokenId": 1, "logProbability": -0.5}
    chunk["candidates"][0]["logprobsResult"] = {
        "chosenCandidates": [token],
        "topCandidates": [{"candidates": [token]}],
    }
    body = json.dumps(chunk).encode()
    GenerateContentResponse.model_validate_json(body)
    told = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
    assert read_whole(body).events[1] == TextPiece("Hi", logprobs=[{**told, "top_logprobs": [told]}])


def told(writer, raw):
    reader = GenerateReader()
    events = reader.feed(raw)
    said = b"".join(writer.write(event) for event in events if not isinstance(event, Used | Finished))
    said += writer.end([event for event in events if isinstance(event, Finished)], Usage(), b"")
    return [json.loads(data) for _, data in Events().feed(said) if data != b"[DONE]"]


def test_a_seal_is_told_to_openais_callers_as_google_itself_does():
    chunks = told(ChatWriter("gemini", wants_usage=False), CALLS)
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert [call.get("extra_content") for call in calls if "id" in call] == [
        {"google": {"thought_signature": SEAL}},
        None,
    ]


def test_a_seal_is_told_to_anthropics_callers_as_a_thought_before_the_call():
    events = told(MessagesWriter("gemini", 1), CALLS)
    blocks = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    assert blocks == ["thinking", "tool_use", "tool_use"]
    [delta] = [event["delta"] for event in events if event.get("delta", {}).get("type") == "signature_delta"]
    assert delta["signature"] == f"gemini:{SEAL}"
