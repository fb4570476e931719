"""AWS' signature of a call, version 4: who asks is proved by a hash of all that is asked.

AWS Identity and Access Management, "Create a signed AWS API request".
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec

from apps.routing.edge.dialects.signing import Pairs
from brokle.edge.egress.urls import Url, parse_url
from brokle.kernel.errors import Unavailable

_SERVICE: Final = "bedrock"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_TYPE: Final = "application/json"
"""What all calls to upstreams say of their bodies; a header that is sent must be signed."""
_PLAIN: Final = re.compile(r"(A[A-Z0-9]{15,127}):([^:\s]+)(?::(\S+))?")
_REGION: Final = re.compile(r"\bbedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")


class Keys(msgspec.Struct):
    access_key_id: str
    secret_access_key: str
    session_token: str = ""


class _Told(msgspec.Struct, rename="pascal"):
    """As AWS' own command line tells it."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""


def find_keys(secret: str, access_key_id: str = "") -> Keys | None:
    """`id:secret` or `id:secret:token`, or JSON; None for what is none of them: it is taken for a Bedrock API key.

    Where the id is told elsewhere, it is left out.
    """
    if access_key_id and secret:
        key, _, token = secret.strip().partition(":")
        return Keys(access_key_id, key, token)
    found = _PLAIN.fullmatch(secret.strip())
    if found is not None:
        return Keys(found[1], found[2], found[3] or "")
    return _found_in_json(secret)


def _found_in_json(secret: str) -> Keys | None:
    try:
        held = msgspec.json.decode(secret)
        told = held.get("Credentials", held) if isinstance(held, dict) else held
        if isinstance(told, dict) and "AccessKeyId" not in told:
            return msgspec.convert(told, Keys)
        found = msgspec.convert(told, _Told)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Keys(found.access_key_id, found.secret_access_key, found.session_token)


class Signature:
    """The key that signs is made of the secret once a day, as AWS wants it."""

    __slots__ = ("_clock", "_keys", "_made", "_region")

    def __init__(self, keys: Keys, region: str, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._region = region
        self._clock = clock
        self._made: tuple[str, bytes] = ("", b"")

    async def headers(self, url: str, body: bytes, *, method: str = "POST") -> Pairs:
        address = parse_url(url)
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        signed = {"content-type": _TYPE, "host": address.origin.authority, "x-amz-date": moment}
        if self._keys.session_token:
            signed["x-amz-security-token"] = self._keys.session_token
        said = {name: value for name, value in signed.items() if name.startswith("x-amz-")}
        region = self._region_of(address)
        asked = canonical(method, address, body, signed)
        return (("authorization", self._authorization(asked, signed, region)), *said.items())

    def _region_of(self, address: Url) -> str:
        if self._region:
            return self._region
        found = _REGION.search(address.origin.host)
        if found is None:
            raise Unavailable("This provider has no `region` in its options")
        return found[1]

    def _authorization(self, asked: str, signed: dict[str, str], region: str) -> str:
        moment = signed["x-amz-date"]
        scope = f"{moment[:8]}/{region}/{_SERVICE}/aws4_request"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
        signature = _hashed(self._key(moment[:8], region), text).hex()
        credential = f"{self._keys.access_key_id}/{scope}"
        return f"{_ALGORITHM} Credential={credential}, SignedHeaders={';'.join(signed)}, Signature={signature}"

    def _key(self, day: str, region: str) -> bytes:
        place = f"{day}/{region}"
        if self._made[0] != place:
            key = f"AWS4{self._keys.secret_access_key}".encode()
            for part in (day, region, _SERVICE, "aws4_request"):
                key = _hashed(key, part)
            self._made = (place, key)
        return self._made[1]


def canonical(method: str, address: Url, body: bytes, signed: dict[str, str]) -> str:
    """The headers in the order of their names. The path is quoted again, as everywhere but in AWS' file store."""
    path, _, query = address.target.partition("?")
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    told = "&".join(sorted(query.split("&"))) if query else ""
    payload = hashlib.sha256(body).hexdigest()
    return f"{method}\n{quote(path, safe='/-_.~')}\n{told}\n{lines}\n{';'.join(signed)}\n{payload}"


def _hashed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
