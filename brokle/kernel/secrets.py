"""Every key Brokle uses is derived from one secret by HKDF, so that one secret is kept and rotated."""

import hashlib
import hmac
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SALT = b"brokle/v1"
PURPOSES = frozenset({"django", "jwt", "pepper", "snapshot", "master", "check", "pass"})


@lru_cache(maxsize=64)
def derive(secret: str, purpose: str) -> bytes:
    if purpose not in PURPOSES:
        raise ValueError(f"unknown key purpose {purpose!r}")
    return HKDF(algorithm=SHA256(), length=32, salt=_SALT, info=purpose.encode()).derive(secret.encode())


def check_value(secret: str) -> str:
    """What PostgreSQL stores to recognise a wrong secret at start; tells nothing about the secret."""
    return hmac.digest(derive(secret, "check"), b"check", hashlib.sha256).hex()
