import json

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.orgs.models import ApiKey
from apps.orgs.testing import make_household

pytestmark = pytest.mark.engines

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4),
    max_leaves=12,
)
nearly = st.fixed_dictionaries(
    {},
    optional={
        "name": anything,
        "scopes": st.lists(st.sampled_from(["gateway", "admin", "", None, 7]), max_size=7) | anything,
        "requests_per_minute": st.integers() | anything,
        "expires_at": st.datetimes().map(str) | st.just("0001-01-01T00:00:00+23:59") | anything,
    },
)
bodies = st.binary(max_size=200) | (anything | nearly).map(lambda value: json.dumps(value).encode())


@pytest.fixture
def noor(db):
    return make_household("noor")


def post(household, body, content_type="application/json"):
    client = Client(raise_request_exception=False)
    return client.generic("POST", "/api/v1/keys", body, content_type=content_type, headers=household.bearer)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
@given(body=bodies)
def test_no_body_makes_a_server_error(noor, body):
    before = ApiKey.objects.across_organizations().count()
    answer = post(noor, body)

    assert answer.status_code in {201, 400, 413, 415, 422}
    assert ApiKey.objects.across_organizations().count() - before == (answer.status_code == 201)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 100_000, 400),
        (b'{"a":' * 50_000, 400),
        (b'{"name": "\\ud800", "scopes": ["gateway"]}', 422),
        (b'{"name": "a\\u0000b", "scopes": ["gateway"]}', 422),
        (b'{"name": NaN, "scopes": ["gateway"]}', 400),
        (b'{"name": ' + b"9" * 5000 + b"}", 400),
        (b"\xff\xfe", 400),
        (b"", 422),
        (b"null", 422),
        (b'{"name": "x", "scopes": ["gateway"], "requests_per_minute": ' + b"9" * 400 + b"}", 422),
        (b" " * (10 * 1024 * 1024 + 1), 413),
    ],
    ids=[
        "nested lists",
        "nested objects",
        "surrogate",
        "nul",
        "nan",
        "digits",
        "bytes",
        "empty",
        "null",
        "huge",
        "large",
    ],
)
def test_a_hostile_body_is_the_callers_mistake(noor, body, status):
    before = ApiKey.objects.across_organizations().count()
    answer = post(noor, body)

    assert (answer.status_code, answer["content-type"]) == (status, "application/problem+json")
    assert ApiKey.objects.across_organizations().count() == before


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=nonsense", "text/plain", "multipart/form-data", ""]
)
def test_a_strange_content_type_is_the_callers_mistake(noor, content_type):
    assert 400 <= post(noor, b"{}", content_type).status_code < 500
