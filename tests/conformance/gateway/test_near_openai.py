"""OpenAI's SDK, answered by Ollama and Mistral, who speak almost as OpenAI does."""

import pytest
from openai import BadRequestError, UnprocessableEntityError

from tests.fakes.near_openai import TEXT, THOUGHT, VECTOR

pytestmark = [pytest.mark.engines]

HI = [{"role": "user", "content": "hi"}]


def ask(client, model, **more):
    return client.chat.completions.create(model=model, messages=HI, **more)


@pytest.mark.parametrize("model", ["ollama/qwen3:8b", "mistral/magistral-medium-latest"])
def test_an_answer_and_a_stream_have_words_and_usage(client, row, model):
    reply = ask(client, model, max_completion_tokens=50, seed=3)
    assert (reply.choices[0].message.content, reply.usage.total_tokens) == (TEXT, 18)
    assert reply.choices[0].finish_reason == "stop"
    stream = ask(client, model, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 18)
    found = row(stream.response.headers["x-request-id"])
    assert (found["input_tokens"], found["output_tokens"]) == (11, 7)


def test_mistrals_thoughts_are_thoughts(client, anthropic):
    model = "mistral/magistral-medium-latest"
    assert ask(client, model).choices[0].message.model_extra["reasoning_content"] == THOUGHT
    message = anthropic.messages.create(model=model, max_tokens=50, messages=HI)
    assert [getattr(block, block.type) for block in message.content] == [THOUGHT, TEXT]


def test_what_only_ollama_has_reaches_it(client, ollama):
    ask(client, "ollama/qwen3:8b", extra_body={"num_ctx": 8192, "keep_alive": "5m"})
    assert ollama.calls[-1].body["options"] == {"num_ctx": 8192}
    with pytest.raises(BadRequestError) as caught:
        ask(client, "ollama/qwen3:8b", n=2)
    assert caught.value.param == "n"


def test_ollamas_embeddings(client):
    reply = client.embeddings.create(model="ollama/nomic-embed-text", input=["a", "b"])
    assert [entry.embedding for entry in reply.data] == [VECTOR, VECTOR]
    assert reply.usage.prompt_tokens == 5


def test_mistrals_refusals_say_where(client):
    with pytest.raises(UnprocessableEntityError, match="Extra inputs are not permitted"):
        client.embeddings.create(model="mistral/mistral-embed", input="a")
