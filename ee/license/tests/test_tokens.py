import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ee.license.contracts import License, UnableToReadLicense
from ee.license.services.coding import encode
from ee.license.services.keys import trusted_keys
from ee.license.services.token import canonical, issue, verify

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = encode(KEY.public_key().public_bytes_raw())
TRUSTED = trusted_keys([f"test-1:{PUBLIC}"])


def a_license(**changes):
    fields = {
        "v": 1,
        "kid": "test-1",
        "id": "lic_1",
        "org": "org_noor",
        "plan": "enterprise",
        "features": ["sso", "scim"],
        "limits": {"seats": 50},
        "nbf": int(START.timestamp()),
        "exp": int((START + timedelta(days=365)).timestamp()),
        "grace_days": 14,
    }
    return License(**{**fields, **changes})


def signed(payload, key=KEY):
    return f"{encode(payload)}.{encode(key.sign(payload))}"


def test_a_license_is_canonical_json_and_its_signature():
    payload, signature = issue(a_license(), KEY).split(".")
    content = base64.urlsafe_b64decode(payload + "==")

    assert content == (
        b'{"exp":1798761600,"features":["sso","scim"],"grace_days":14,"id":"lic_1","kid":"test-1",'
        b'"limits":{"seats":50},"nbf":1767225600,"org":"org_noor","plan":"enterprise","v":1}'
    )
    KEY.public_key().verify(base64.urlsafe_b64decode(signature + "=="), content)


def test_what_was_issued_is_read_back():
    found = verify(f"  {issue(a_license(), KEY)}\n", TRUSTED)

    assert (found.license, found.for_tests) == (a_license(), True)


def test_every_flipped_bit_is_refused():
    token = issue(a_license(), KEY)
    for position, letter in enumerate(token):
        changed = "A" if letter != "A" else "B"
        with pytest.raises(UnableToReadLicense):
            verify(token[:position] + changed + token[position + 1 :], TRUSTED)


def test_a_key_that_is_not_named_does_not_count():
    with pytest.raises(UnableToReadLicense, match="unknown key 'test-1'"):
        verify(issue(a_license(), KEY), trusted_keys())


def test_another_key_of_the_same_name_does_not_count():
    with pytest.raises(UnableToReadLicense, match="signature does not match"):
        verify(issue(a_license(), Ed25519PrivateKey.generate()), TRUSTED)


def test_two_keys_count_while_rotating():
    second = Ed25519PrivateKey.generate()
    keys = trusted_keys([f"test-1:{PUBLIC}", f"test-2:{encode(second.public_key().public_bytes_raw())}"])

    assert verify(issue(a_license(), KEY), keys).license.kid == "test-1"
    assert verify(issue(a_license(kid="test-2"), second), keys).license.kid == "test-2"


def test_a_test_key_cannot_stand_in_for_a_production_key():
    vendor = Ed25519PrivateKey.generate()
    production = {"test-1": encode(vendor.public_key().public_bytes_raw())}
    keys = trusted_keys([f"test-1:{PUBLIC}"], production_keys=production)

    assert verify(issue(a_license(), vendor), keys).for_tests is False
    with pytest.raises(UnableToReadLicense, match="signature does not match"):
        verify(issue(a_license(), KEY), keys)


@pytest.mark.parametrize(
    "text",
    ["", ".", "no dot", "a.b.c", "é.é", "x" * 20_000 + ".y", "eyJ9.AA", "====.===="],
)
def test_what_is_not_a_license_is_refused(text):
    with pytest.raises(UnableToReadLicense):
        verify(text, TRUSTED)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, "cannot be understood"),
        ({"exp": "soon"}, "cannot be understood"),
        ({"surplus": True}, "cannot be understood"),
    ],
)
def test_content_of_another_shape_is_refused_although_signed(change, reason):
    content = {**json.loads(canonical(a_license())), **change}
    payload = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    with pytest.raises(UnableToReadLicense, match=reason):
        verify(signed(payload), TRUSTED)


def test_another_spelling_of_the_same_content_is_refused_although_signed():
    spaced = json.dumps(json.loads(canonical(a_license())), sort_keys=True).encode()

    with pytest.raises(UnableToReadLicense, match="canonical form"):
        verify(signed(spaced), TRUSTED)


@pytest.mark.parametrize("pair", ["", "only-a-name", "kid:", "kid:AAAA", "kid:é"])
def test_a_key_that_cannot_be_read_is_named_as_such(pair):
    with pytest.raises(UnableToReadLicense, match="BROKLE_LICENSE_TEST_KEYS"):
        trusted_keys([pair])


@pytest.mark.parametrize(
    ("day", "state"),
    [(-1, "early"), (0, "valid"), (364, "valid"), (365, "grace"), (378, "grace"), (379, "expired")],
)
def test_a_license_has_its_time(day, state):
    assert a_license().state(START + timedelta(days=day)) == state
