"""Hugging Face's router, its addresses and bodies judged by Hugging Face's own client."""

import json

import pytest
from huggingface_hub.inference._providers import get_provider_helper

from apps.routing.edge.dialects.catalog import dialect_of
from apps.routing.edge.dialects.purposes import Text
from apps.routing.edge.dialects.speech import CannotExpress

HUGGING_FACE = dialect_of("huggingface")
BASE = "https://router.huggingface.co/v1"
MODEL = "intfloat/multilingual-e5-large"


@pytest.mark.parametrize("base", [BASE, "https://router.huggingface.co/groq/openai/v1"])
def test_embeddings_are_asked_for_as_its_client_does(base):
    judge = get_provider_helper("hf-inference", task="feature-extraction", model=MODEL)
    assert HUGGING_FACE.address(base, "embeddings", MODEL, {}, is_stream=False) == judge._prepare_url("hf_x", MODEL)
    body = json.loads(HUGGING_FACE.embedder().write([Text("a"), Text("b")], None, MODEL))
    assert body == judge._prepare_payload_as_dict(["a", "b"], {}, None)
    assert HUGGING_FACE.embedder().read(b"[[0.5], [0.25]]") == ([[0.5], [0.25]], None)
    with pytest.raises(CannotExpress, match="dimensions"):
        HUGGING_FACE.embedder().write([Text("a")], 5, MODEL)
    with pytest.raises(ValueError, match="float"):
        HUGGING_FACE.embedder().read(b"[[[0.5]]]")


def test_chat_is_openais():
    assert HUGGING_FACE.address(BASE, "chat", "a/b:groq", {}, is_stream=True) == f"{BASE}/chat/completions"
    assert HUGGING_FACE.speaks("openai.chat")
    assert not HUGGING_FACE.speaks("openai.embeddings")
    assert HUGGING_FACE.headers("hf_x", {"auth": "bearer"}) == {"authorization": "Bearer hf_x"}
