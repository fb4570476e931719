"""Tokens that are fetched in place of a key, and kept until shortly before their end."""

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar, Final, Protocol

import msgspec

from apps.routing.edge.dialects.signing import Pairs
from brokle.edge.egress import EgressClient
from brokle.kernel.errors import UpstreamFailed

LASTS_S: Final = 3600
_EARLY_S: Final = 300.0
_FORM: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_WORDS: Final = 300


class _Granted(msgspec.Struct):
    access_token: str = ""
    expires_in: float = LASTS_S
    error: str = ""
    error_description: str = ""


_decode: Final = msgspec.json.Decoder(_Granted).decode


class Account(Protocol):
    """Who asks for tokens; `service` and `asker` are for the words of a failure."""

    service: ClassVar[str]
    asker: ClassVar[str]

    @property
    def address(self) -> str: ...
    def form(self, now_s: float) -> bytes:
        """Raises Unavailable where the account is none."""


class Tokens:
    """A token is fetched when the first call needs it, and again shortly before it ends; all calls wait for one."""

    __slots__ = ("_account", "_clock", "_egress", "_fetching", "_header", "_renew_at")

    def __init__(self, account: Account, egress: EgressClient, clock: Callable[[], float] = time.time) -> None:
        self._account = account
        self._egress = egress
        self._clock = clock
        self._header: Pairs = ()
        self._renew_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def headers(self, url: str, body: bytes, *, method: str = "POST") -> Pairs:
        if self._clock() < self._renew_at:
            return self._header
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        await asyncio.shield(self._fetching)
        return self._header

    def _fetched(self, task: "asyncio.Task[None]") -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # whoever waits has been told

    async def _fetch(self) -> None:
        now_s, account = self._clock(), self._account
        form = account.form(now_s)
        async with self._egress.request("POST", account.address, headers=_FORM, body=form) as answer:
            raw = await answer.read(decode=True)
        try:
            granted = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamFailed(f"{account.service}'s token service answered {answer.status} without JSON") from error
        if answer.status != 200 or not granted.access_token:
            why = granted.error_description or granted.error or f"status {answer.status}"
            raise UpstreamFailed(f"{account.service} gave no token to the {account.asker}: {why[:_WORDS]}")
        self._header = (("authorization", f"Bearer {granted.access_token}"),)
        self._renew_at = now_s + granted.expires_in - min(_EARLY_S, granted.expires_in / 2)
