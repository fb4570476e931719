"""The secret key leaves the machine only under a passphrase: scrypt, then AES-256-GCM."""

import base64
import os
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_PLACE = b"brokle backup secret"
_COST, _BLOCK, _PARALLEL = 2**16, 8, 1
_COST_MAX = 2**20


class UnableToOpen(Exception):
    pass


@dataclass(slots=True)
class _Sealed:
    salt: str
    nonce: str
    content: str
    cost: int = _COST


def seal(secret: str, passphrase: str) -> bytes:
    salt, nonce = os.urandom(16), os.urandom(12)
    content = AESGCM(_key(passphrase, salt, _COST)).encrypt(nonce, secret.encode(), _PLACE)
    return msgspec.json.encode(_Sealed(*(base64.b64encode(part).decode() for part in (salt, nonce, content))))


def unseal(sealed: bytes, passphrase: str) -> str:
    try:
        found = msgspec.json.decode(sealed, type=_Sealed)
        salt, nonce, content = (base64.b64decode(part) for part in (found.salt, found.nonce, found.content))
        key = _key(passphrase, salt, min(found.cost, _COST_MAX))
        return AESGCM(key).decrypt(nonce, content, _PLACE).decode()
    except InvalidTag:
        raise UnableToOpen("the passphrase does not open the secret key of this backup; nothing was changed") from None
    except ValueError:
        raise UnableToOpen("the sealed secret key is not as we write it; nothing was changed") from None


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=_BLOCK, p=_PARALLEL).derive(passphrase.encode())
