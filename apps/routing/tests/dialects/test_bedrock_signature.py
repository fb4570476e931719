"""Who asks Bedrock: signatures judged by botocore's own signer, frames by botocore's own parser."""

import json
from datetime import UTC, datetime, timedelta

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from apps.routing.edge.dialects.bedrock.dialect import Bedrock
from apps.routing.edge.dialects.bedrock.signature import Keys, Signature, find_keys
from apps.routing.edge.doors import OPEN_TO_ALL, Door
from brokle.edge.egress import EgressClient, Limits, Policy
from brokle.kernel.errors import Unavailable
from tests.fakes.bedrock_provider import ACCESS_KEY, SECRET_KEY
from tests.fakes.upstream import answering, upstream

BEDROCK = Bedrock("bedrock", "Amazon Bedrock")
BASE = "https://bedrock-runtime.eu-west-1.amazonaws.com"
KEYS = f"{ACCESS_KEY}:{SECRET_KEY}"
NOW = datetime(2027, 1, 15, 8, 30, 7, tzinfo=UTC)
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


def signer_of(secret, options=None, now=NOW):
    found = BEDROCK.signer(secret, {"region": "eu-west-1"} if options is None else options, None)
    assert isinstance(found, Signature)
    found._clock = now.timestamp
    return found


@pytest.fixture
def judged(monkeypatch):
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))

    def sign(url, body, token=None, method="POST"):
        request = AWSRequest(method, url, {"content-type": "application/json"}, body)
        SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, token), "bedrock", "eu-west-1").add_auth(request)
        return {name.lower(): value for name, value in request.headers.items() if name.lower() != "content-type"}

    return sign


@pytest.mark.parametrize("model", ["amazon.nova-lite-v1:0", PROFILE, "a b~c_d", "نوفا"])
@pytest.mark.parametrize("body", [b"", b"{}", "سلام".encode()])
@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2luX2VjEXAMPLE/+=="])
async def test_a_signature_is_the_one_that_aws_own_signer_makes(judged, model, body, token):
    url = BEDROCK.address(BASE, "chat", model, {}, is_stream=True)
    secret = KEYS if token is None else f"{KEYS}:{token}"
    assert dict(await signer_of(secret).headers(url, body)) == judged(url, body, token)


async def test_an_address_of_ones_own_with_a_port_is_signed_too(judged):
    url = "http://127.0.0.1:9100/behind/model/m/converse"
    assert dict(await signer_of(KEYS).headers(url, b"x")) == judged(url, b"x")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_method_that_is_sent_is_the_one_that_is_signed(judged, method):
    """A door that is knocked at for something else than an answer of a model."""
    async with upstream(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")) as there:
        async with EgressClient(Policy(["127.0.0.1"])) as egress:
            door = Door(OPEN_TO_ALL, KEYS, egress, {"content-type": "application/json"}, signer_of(KEYS))
            answer = await door.call(method, there.url("/model/m"), Limits())
            answer.close()
        [asked] = there.requests
    expected = judged(there.url("/model/m"), b"", method=method)
    assert asked.method == method
    assert {name: asked.headers[name] for name in expected} == expected


async def test_a_new_day_has_a_new_key():
    signer = signer_of(KEYS)
    url = f"{BASE}/model/m/converse"
    first = dict(await signer.headers(url, b""))["authorization"]
    signer._clock = (NOW + timedelta(days=1)).timestamp
    second = dict(await signer.headers(url, b""))["authorization"]
    assert (first.split(",")[0], second.split(",")[0]) == (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20270115/eu-west-1/bedrock/aws4_request",
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20270116/eu-west-1/bedrock/aws4_request",
    )


async def test_the_region_is_an_option_or_stands_in_the_address():
    told = dict(await signer_of(KEYS, {}).headers("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/m", b""))
    assert "/us-gov-west-1/bedrock/" in told["authorization"]
    with pytest.raises(Unavailable, match="region"):
        await signer_of(KEYS, {}).headers("https://bedrock.example/m", b"")


AS_AWS_SAYS = {"AccessKeyId": "A", "SecretAccessKey": "B", "SessionToken": "C", "Expiration": "2027-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("secret", "keys"),
    [
        (KEYS, Keys(ACCESS_KEY, SECRET_KEY)),
        (f" {KEYS}:token\n", Keys(ACCESS_KEY, SECRET_KEY, "token")),
        (json.dumps({"access_key_id": "A", "secret_access_key": "B"}), Keys("A", "B")),
        (json.dumps(AS_AWS_SAYS), Keys("A", "B", "C")),
        (json.dumps({"Credentials": AS_AWS_SAYS, "AssumedRoleUser": {}}), Keys("A", "B", "C")),
        ("ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl", None),
        ("bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t", None),
        ('{"type": "service_account"}', None),
        ("[1]", None),
    ],
)
def test_keys_come_in_several_forms_and_all_else_is_a_bedrock_api_key(secret, keys):
    assert find_keys(secret) == keys


def test_the_id_may_be_an_option():
    options = {"access_key_id": ACCESS_KEY, "region": "eu-west-1"}
    assert signer_of(SECRET_KEY, options)._keys == Keys(ACCESS_KEY, SECRET_KEY)
    assert signer_of(f"{SECRET_KEY}:token", options)._keys == Keys(ACCESS_KEY, SECRET_KEY, "token")
    assert BEDROCK.headers(SECRET_KEY, options) == {}


def test_a_bedrock_api_key_is_sent_and_nothing_is_signed():
    assert BEDROCK.headers("bedrock-api-key-x", {"auth": "aws-sigv4"}) == {"authorization": "Bearer bedrock-api-key-x"}
    assert BEDROCK.signer("bedrock-api-key-x", {}, None) is None
    assert BEDROCK.headers(KEYS, {"auth": "aws-sigv4"}) == {}


def test_an_address_holds_the_models_name_in_one_piece():
    assert BEDROCK.address(BASE, "chat", "amazon.nova-lite-v1:0", {}, is_stream=False) == (
        f"{BASE}/model/amazon.nova-lite-v1%3A0/converse"
    )
    assert BEDROCK.address(BASE, "chat", "a/b", {}, is_stream=True) == f"{BASE}/model/a%2Fb/converse-stream"
    assert BEDROCK.address(BASE, "embeddings", "m", {}, is_stream=False) == f"{BASE}/model/m/invoke"
