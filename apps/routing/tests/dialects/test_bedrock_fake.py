"""The provider that judges our calls, itself judged by AWS' own client."""

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from botocore.session import get_session

from tests.fakes.bedrock_provider import (
    ACCESS_KEY,
    CLAUDE,
    REGION,
    SECRET_KEY,
    TEXT,
    USAGE,
    bedrock_provider,
)
from tests.fakes.model_provider import WORDS

HI = [{"role": "user", "content": [{"text": "hi"}]}]


@pytest.fixture(scope="module")
def provider():
    with bedrock_provider() as found:
        yield found


def client_of(url, secret=SECRET_KEY):
    return get_session().create_client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}),
    )


@pytest.fixture
def client(provider):
    found = client_of(provider.url)
    yield found
    found.close()


def test_awss_client_is_answered(client):
    found = client.converse(modelId=CLAUDE, messages=HI)
    assert found["output"]["message"]["content"] == [{"text": TEXT}]
    assert (found["stopReason"], found["usage"]) == ("end_turn", USAGE)


def test_awss_client_reads_the_stream(client):
    found = list(client.converse_stream(modelId=CLAUDE, messages=HI)["stream"])
    pieces = [event["contentBlockDelta"]["delta"]["text"] for event in found if "contentBlockDelta" in event]
    assert pieces == WORDS
    assert found[-1]["metadata"]["usage"] == USAGE


def test_awss_client_is_refused_by_name(provider, client):
    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(modelId="limited", messages=HI)
    with pytest.raises(client.exceptions.ValidationException, match="blank"):
        client.converse(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": " "}]}])
    broken = client.converse_stream(modelId="error-within", messages=HI)["stream"]
    with pytest.raises(EventStreamError, match="throttlingException"):
        list(broken)
    broken.close()
    stranger = client_of(provider.url, "another secret")
    with pytest.raises(ClientError, match="InvalidSignature"):
        stranger.converse(modelId=CLAUDE, messages=HI)
    stranger.close()
