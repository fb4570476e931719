"""A passkey in software, by the letter of WebAuthn: what a phone or a key answers to a site's options."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def cbor(value: Any) -> bytes:
    """As much of RFC 8949 as an attestation needs."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    return _head(5, len(value)) + b"".join(cbor(key) + cbor(held) for key, held in value.items())


def _head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes([kind << 5 | number])
    if number < 256:
        return bytes([kind << 5 | 24, number])
    return bytes([kind << 5 | 25]) + number.to_bytes(2, "big")


@dataclass
class Authenticator:
    """Holds one passkey. Without `verifies` it only saw that somebody touched it."""

    origin: str = "https://testserver"
    verifies: bool = True
    credential_id: bytes = field(default_factory=lambda: os.urandom(16))
    user_handle: str = ""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        asked = options["publicKey"]
        assert {"type": "public-key", "alg": -7} in asked["pubKeyCredParams"]
        self.user_handle = asked["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor(cose)
        told = self._about(asked["rp"]["id"], ATTESTED) + attested
        answer = {
            "clientDataJSON": unpadded(self._seen("webauthn.create", asked["challenge"])),
            "attestationObject": unpadded(cbor({"fmt": "none", "attStmt": {}, "authData": told})),
        }
        return self._credential(answer, {"credProps": {"rk": True}})

    def answer(self, options: dict[str, Any]) -> dict[str, Any]:
        asked = options["publicKey"]
        seen = self._seen("webauthn.get", asked["challenge"])
        told = self._about(asked["rpId"])
        signature = self.key.sign(told + hashlib.sha256(seen).digest(), ec.ECDSA(SHA256()))
        answer = {
            "clientDataJSON": unpadded(seen),
            "authenticatorData": unpadded(told),
            "signature": unpadded(signature),
            "userHandle": self.user_handle,
        }
        return self._credential(answer, {})

    def _about(self, rp_id: str, more: int = 0) -> bytes:
        flags = PRESENT | (VERIFIED if self.verifies else 0) | more
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + bytes(4)

    def _seen(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _credential(self, answer: dict[str, Any], extensions: dict[str, Any]) -> dict[str, Any]:
        found = unpadded(self.credential_id)
        return {
            "id": found,
            "rawId": found,
            "type": "public-key",
            "response": answer,
            "clientExtensionResults": extensions,
        }
