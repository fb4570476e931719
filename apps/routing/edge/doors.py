"""The doors to a provider: a door is a key, with the connection for it written out once."""

from collections.abc import AsyncIterator
from typing import Final, Protocol

from apps.routing.edge.book import CredentialRecord
from apps.routing.edge.dialects.signing import Pairs, Signer
from brokle.edge.egress import EgressClient, Limits
from brokle.edge.egress import Target as EgressTarget
from brokle.kernel.errors import Unavailable

_TARGETS_MAX: Final = 256
Body = bytes | AsyncIterator[bytes]
OPEN_TO_ALL: Final = CredentialRecord("", b"")
JSON_HEADERS: Final = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "brokle"}


class NoUsableKey(Unavailable):
    code, title = "no_usable_credential", "This provider has no key for this environment"


class Answer(Protocol):
    """As much of an upstream's answer as the gateway takes."""

    status: int

    def header(self, name: str, default: str = "") -> str: ...
    async def next_chunk(self) -> bytes: ...
    async def read(self, *, decode: bool = False) -> bytes: ...
    def close(self) -> None: ...


class Door:
    """`rests_until` is when a key that was refused may be tried again, on the loop's clock."""

    __slots__ = (
        "_egress",
        "_headers",
        "_targets",
        "credential_id",
        "environment_id",
        "rests_until",
        "secret",
        "signer",
        "weight",
    )

    def __init__(
        self,
        credential: CredentialRecord,
        secret: str,
        egress: EgressClient,
        headers: dict[str, str],
        signer: Signer | None = None,
    ) -> None:
        self.credential_id = credential.credential_id
        self.environment_id = credential.environment_id
        self.weight = credential.weight
        self.secret = secret
        self.rests_until = 0.0
        self.signer = signer
        self._egress = egress
        self._headers = headers
        self._targets: dict[tuple[str, Pairs], EgressTarget] = {}

    def target(self, url: str, headers: Pairs = ()) -> EgressTarget:
        """Written out once for each address; where a call's own words are part of it, the oldest make room."""
        found = self._targets.get((url, headers))
        if found is None:
            written = {**self._headers, **dict(headers)}
            found = self._targets[url, headers] = self._egress.prepare("POST", url, written)
            if len(self._targets) > _TARGETS_MAX:
                del self._targets[next(iter(self._targets))]
        return found

    async def call(
        self, method: str, url: str, limits: Limits, headers: Pairs = (), *, shows_key: bool = True
    ) -> Answer:
        """Something else than the question to a model, with this key or without any."""
        if not shows_key:
            return await self._egress.prepare(method, url, JSON_HEADERS).open(None, headers, limits=limits)
        signed = await self.signer.headers(url, b"", method=method) if self.signer is not None else ()
        return await self._egress.prepare(method, url, self._headers).open(None, (*headers, *signed), limits=limits)
