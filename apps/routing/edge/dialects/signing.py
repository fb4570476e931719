"""Providers whose keys are not sent but used: to sign each call, or to fetch what is sent in their place."""

from typing import Protocol

Pairs = tuple[tuple[str, str], ...]


class Signer(Protocol):
    """One for each key and process."""

    async def headers(self, url: str, body: bytes, *, method: str = "POST") -> Pairs:
        """What this call needs beside the fixed headers. Raises Unavailable, UpstreamFailed or UpstreamTimedOut."""
