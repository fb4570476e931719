"""Sealed at rest: AES-256-GCM under a derived key, bound to the place the bytes belong to."""

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from brokle.kernel.secrets import derive

_FORMAT = b"\x01"
_NONCE_BYTES = 12


class UnableToUnseal(Exception):
    """The bytes were changed, moved to another place, or sealed under a secret that is no longer known."""


class Sealer:
    """Seals under the first secret and opens under any, so that the secret can be rotated."""

    __slots__ = ("_ciphers",)

    def __init__(self, secrets: Sequence[str], purpose: str = "master") -> None:
        self._ciphers = [AESGCM(derive(secret, purpose)) for secret in secrets]

    def seal(self, plain: bytes, *, place: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._ciphers[0].encrypt(nonce, plain, place.encode())

    def unseal(self, sealed: bytes, *, place: str) -> bytes:
        if sealed[:1] != _FORMAT:
            raise UnableToUnseal("not a sealed value")
        nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, content, place.encode())
            except (InvalidTag, ValueError):
                continue
        raise UnableToUnseal("changed, out of place, or sealed under another secret")
