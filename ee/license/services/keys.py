"""Whose signatures count. Private keys of the vendor are never in this tree."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ee.license.contracts import UnableToReadLicense
from ee.license.services.coding import decode

# kid → public key, base64url of its 32 bytes. A key that was ever used stays, so that its licenses run on.
PRODUCTION_KEYS: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class VerifyKey:
    public: Ed25519PublicKey
    for_tests: bool


def trusted_keys(
    test_keys: Iterable[str] = (), *, production_keys: Mapping[str, str] = PRODUCTION_KEYS
) -> dict[str, VerifyKey]:
    """`test_keys` are `kid:base64url` pairs; none of them can stand in for a production key."""
    keys = {}
    for pair in test_keys:
        kid, _, encoded = pair.partition(":")
        keys[kid] = _verify_key(encoded, for_tests=True)
    for kid, encoded in production_keys.items():
        keys[kid] = _verify_key(encoded, for_tests=False)
    return keys


def _verify_key(encoded: str, *, for_tests: bool) -> VerifyKey:
    try:
        return VerifyKey(Ed25519PublicKey.from_public_bytes(decode(encoded)), for_tests)
    except ValueError:
        raise UnableToReadLicense(
            "a license key must be kid:base64url of 32 bytes; see BROKLE_LICENSE_TEST_KEYS"
        ) from None
