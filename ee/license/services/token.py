"""`base64url(payload).base64url(signature)`: the payload is canonical JSON, the signature Ed25519 over its bytes."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ee.license.contracts import License, UnableToReadLicense
from ee.license.services.coding import decode, encode
from ee.license.services.keys import VerifyKey

# A license is a page of text; anything larger is not one.
_MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Verified:
    license: License
    for_tests: bool


def canonical(license_: License) -> bytes:
    """Keys sorted, no spaces, UTF-8: the same license is the same bytes everywhere."""
    return msgspec.json.encode(license_, order="sorted")


def issue(license_: License, key: Ed25519PrivateKey) -> str:
    payload = canonical(license_)
    return f"{encode(payload)}.{encode(key.sign(payload))}"


def verify(token: str, keys: Mapping[str, VerifyKey]) -> Verified:
    payload, signature = _split(token.strip())
    license_ = _read(payload)
    key = keys.get(license_.kid)
    if key is None:
        raise UnableToReadLicense(
            f"the license is signed by an unknown key {license_.kid!r}; update Brokle or ask for a new one"
        )
    try:
        key.public.verify(signature, payload)
    except InvalidSignature:
        raise UnableToReadLicense(
            "the license's signature does not match; paste it again, whole and unchanged"
        ) from None
    return Verified(license_, key.for_tests)


def read_unverified(token: str) -> License:
    """For showing what a license claims; grants nothing."""
    return _read(_split(token.strip())[0])


def _split(token: str) -> tuple[bytes, bytes]:
    payload, dot, signature = token.partition(".")
    if not dot or len(token) > _MAX_BYTES:
        raise UnableToReadLicense("this is not a license; one has two parts with a dot between them")
    try:
        return decode(payload), decode(signature)
    except ValueError:
        raise UnableToReadLicense("the license is damaged; paste it again, whole and unchanged") from None


def _read(payload: bytes) -> License:
    try:
        license_ = msgspec.json.decode(payload, type=License)
    except msgspec.MsgspecError:
        raise UnableToReadLicense(
            "the license's content cannot be understood; update Brokle or ask for a new one"
        ) from None
    if canonical(license_) != payload:
        raise UnableToReadLicense("the license is not in its canonical form; ask for a new one")
    return license_
