"""A provider that finds no fault with anything: whatever it is sent, it answers well, in the dialect of the address."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes import anthropic_provider as claudes
from tests.fakes import bedrock_provider as bedrocks
from tests.fakes import cohere_provider as coheres
from tests.fakes import gemini_provider as geminis
from tests.fakes import model_provider as openais
from tests.fakes import responses_provider as responses
from tests.fakes.model_provider import Call, Handler, Provider, served

_HI: list[Any] = []
_CLEAN = Call("", {}, {"model": "m", "messages": _HI}, b"")
_CLAUDE = claudes.message(_CLEAN)
_GEMINI = geminis.answer("m", {"contents": _HI})
_COHERE = coheres.answer({"messages": _HI})
_BEDROCK = bedrocks.answer({"messages": _HI})
_RESPONSE = responses.answer(_CLEAN, 1)
_OLLAMA = {"model": "m", "created_at": "2026-11-27T10:00:00Z", "message": {"role": "assistant", "content": "hi"}}
_OLLAMA_ENDS = {"done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1}

# By the end of the address: whole, and in pieces.
_SAID: dict[str, tuple[bytes, list[bytes]]] = {
    "/chat/completions": (
        openais.whole("m"),
        [openais.event("m", {"content": "hi"}, "stop", asked_usage=True), b"data: [DONE]\n\n"],
    ),
    "/responses": (json.dumps(_RESPONSE).encode(), responses.stream(_RESPONSE)),
    "/messages": (claudes.whole(_CLAUDE), claudes.stream(_CLAUDE)),
    ":generateContent": (geminis.whole(_GEMINI), []),
    ":streamGenerateContent?alt=sse": (b"", [geminis.event(chunk) for chunk in geminis.chunks(_GEMINI)]),
    "/v2/chat": (coheres.whole(_COHERE), coheres.stream(_COHERE)),
    "/converse": (bedrocks.whole(_BEDROCK), []),
    "/converse-stream": (b"", bedrocks.stream(_BEDROCK)),
    "/api/chat": (json.dumps(_OLLAMA | _OLLAMA_ENDS).encode(), [json.dumps(_OLLAMA | _OLLAMA_ENDS).encode() + b"\n"]),
}
_COUNTED = {"/count_tokens": {"input_tokens": 1}, ":countTokens": {"totalTokens": 1}}
_PLAIN = {
    "/rerank": {"id": "r1", "results": [], "meta": {"billed_units": {"search_units": 1}}},
    "/moderations": {"id": "m1", "model": "m", "results": []},
    "/images/generations": {"created": 1, "data": []},
    "/images/edits": {"created": 1, "data": []},
    "/audio/transcriptions": {"text": "hi"},
    "/audio/translations": {"text": "hi"},
    "/audio/speech": {"text": "hi"},
}


class _Handler(Handler):
    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        raw = self.everything()
        path = self.path
        for end, (whole, pieces) in _SAID.items():
            if path.endswith(end):
                self._say(whole, pieces if not whole or _is_stream(raw) else [])
                return
        self.answer(200, json.dumps(_one_shot(path, raw)).encode())

    def _say(self, whole: bytes, pieces: list[bytes]) -> None:
        if not pieces:
            self.answer(200, whole)
            return
        self.answer(200, b"".join(pieces), kind="text/event-stream")


def _is_stream(raw: bytes) -> bool:
    return b'"stream":true' in raw.replace(b" ", b"")


def _one_shot(path: str, raw: bytes) -> dict[str, Any]:
    for end, said in (_PLAIN | _COUNTED).items():
        if path.endswith(end):
            return said
    return _embedded(path, raw)


def _embedded(path: str, raw: bytes) -> dict[str, Any]:
    """As many vectors as there are texts, where the gateway wrote the request itself."""
    vector = [0.5, 0.25]
    if path.endswith("/v1/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": vector}]
        return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    body = json.loads(raw)
    texts = body.get("texts") or body.get("requests") or body.get("input") or [""]
    vectors = [vector for _ in texts]
    return {
        "id": "e1",
        "embeddings": {"float": vectors} if "texts" in body else vectors if "input" in body else _values(vectors),
        "embedding": vector,
        "embeddingsByType": {"float": vector},
        "inputTextTokenCount": 1,
        "prompt_eval_count": 1,
    }


def _values(vectors: list[list[float]]) -> list[dict[str, Any]]:
    return [{"values": vector} for vector in vectors]


@contextmanager
def patient_provider() -> Iterator[Provider]:
    with served(_Handler) as found:
        yield found
