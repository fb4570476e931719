"""The provider that tests call is Replicate to Replicate's own client."""

from contextlib import contextmanager

import pytest
from replicate import Client
from replicate.exceptions import ModelError, ReplicateError

from tests.fakes.replicate_provider import KEY, METRICS, PICTURE, TEXT, VERSION, replicate_provider

LLAMA = "meta/meta-llama-3-8b-instruct"


@pytest.fixture(scope="module")
def provider():
    with replicate_provider() as found:
        yield found


@pytest.fixture
def client(provider):
    with connected(provider, KEY) as found:
        yield found


@contextmanager
def connected(provider, key):
    """Its connections are closed, which the client itself has no word for."""
    found = Client(api_token=key, base_url=provider.url)
    found.poll_interval = 0.01
    with found._client:
        yield found


def test_a_prediction_is_waited_for(client):
    prediction = client.models.predictions.create(LLAMA, input={"prompt": "hi"})
    assert prediction.status == "starting"
    prediction.wait()
    assert ("".join(prediction.output), prediction.metrics) == (TEXT, METRICS)


def test_a_prediction_is_listened_to(client):
    events = list(client.stream(LLAMA, input={"prompt": "hi"}))
    assert "".join(str(event) for event in events) == TEXT
    assert events[-1].event.value == "done"


def test_a_version_and_a_picture(client):
    prediction = client.predictions.create(version=VERSION, input={"prompt": "hi"})
    prediction.wait()
    assert "".join(prediction.output) == TEXT
    [picture] = client.run("black-forest-labs/flux-schnell", input={"prompt": "a mosque at dawn"})
    assert picture.url == PICTURE


def test_it_fails_and_is_called_off(client):
    with pytest.raises(ModelError, match="CUDA out of memory"):
        client.run("acme/failing", input={"prompt": "hi"})
    endless = client.models.predictions.create("acme/endless", input={"prompt": "hi"})
    endless.cancel()
    assert endless.status == "canceled"


def test_its_refusals_are_problems(client, provider):
    with pytest.raises(ReplicateError) as caught:
        client.models.predictions.create(LLAMA, input={"prompt": "hi", "tempo": 1})
    assert (caught.value.status, caught.value.title) == (422, "Input validation failed")
    with connected(provider, "r8_other") as other, pytest.raises(ReplicateError) as caught:
        other.models.predictions.create(LLAMA, input={"prompt": "hi"})
    assert caught.value.status == 401
