"""Limits shared by every process: rates, budgets and parallel slots, checked and taken in one trip to Redis."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import hiredis
import msgspec

from brokle.edge.budgets import COUNTED, KEY_PREFIX
from brokle.edge.meters import redis_errors
from brokle.edge.resp import RedisDown, RedisLink, pack
from brokle.kernel.errors import Unavailable
from brokle.kernel.tracing import tracer
from brokle.settings.env import Environment

# A rate is a sliding window of two counters, "index current previous"; the previous weighs what is left of it.
# A budget is a hash of what is spent, what calls under way hold, and the dearest call seen. Holds are named and end by
# themselves, so that a process that dies gives back what it held. Near the end of a budget, where a call may cost more
# than is left, calls go one by one: the rest wait (-1) for what the one before really cost. Amounts are taken away as
# `0 - amount`: what costs nothing would else be written "-0", which Redis takes for no number. Where budgets are among
# the limits, a last argument says whether this process has seen them counted, and a last number whether they are.
SCRIPT = """
redis.replicate_commands()
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local plan, out, refused, retry = {}, {}, 0, 0
local must = ARGV[#KEYS * 7 + 1]
local counted = must and redis.call('EXISTS', 'bk:lim:counted')
if must == '1' and counted == 0 then return {-1, 0} end
for i = 1, #KEYS do
  local a = (i - 1) * 7
  local kind, limit, window, cost = ARGV[a+1], tonumber(ARGV[a+2]), tonumber(ARGV[a+3]), tonumber(ARGV[a+4])
  local left, reset, wait = 0, 0, 0
  if kind == 'r' then
    local index, cur, prev = math.floor(now / window), 0, 0
    local value = redis.call('GET', KEYS[i])
    if value then
      local vi, vc, vp = string.match(value, '(%d+) (%d+) (%d+)')
      vi = tonumber(vi)
      if vi == index then cur, prev = tonumber(vc), tonumber(vp)
      elseif vi == index - 1 then prev = tonumber(vc) end
    end
    local elapsed = now - index * window
    local used = cur + math.ceil(prev * (window - elapsed) / window)
    left = limit - used - cost
    reset = window - elapsed
    if left < 0 then
      if cur + cost <= limit then wait = (1 - (limit - cur - cost) / prev) * window - elapsed
      elseif cost > limit then wait = window
      else wait = window - elapsed + (1 - (limit - cost) / cur) * window end
      wait = math.max(1, math.ceil(wait))
    end
    plan[i] = {index, cur + cost, prev, window}
  elseif kind == 'b' then
    local holds = KEYS[i] .. ':held'
    for _, hold in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', now)) do
      redis.call('HINCRBY', KEYS[i], 'held', 0 - string.match(hold, '(%d+)$'))
      redis.call('ZREM', holds, hold)
    end
    local known = redis.call('HMGET', KEYS[i], 'spent', 'held', 'dearest')
    local spent, held = tonumber(known[1] or '0'), tonumber(known[2] or '0')
    local least = math.max(tonumber(ARGV[a+6]), tonumber(known[3] or '0'))
    left = limit - spent - held - cost
    reset = math.max(1, window - now)
    if left < 0 then
      if spent + least > limit then wait = reset
      elseif held > 0 then wait = -1
      else left = 0 end
    end
  else
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
    left = limit - redis.call('ZCARD', KEYS[i]) - 1
    reset = window
    if left < 0 then wait = 1000 end
  end
  if left < 0 and (refused == 0 or (retry ~= -1 and wait > retry) or (retry == -1 and wait ~= -1)) then
    refused, retry = i, wait
  end
  out[#out+1] = left
  out[#out+1] = reset
end
if refused == 0 then
  for i = 1, #KEYS do
    local a = (i - 1) * 7
    local kind, window, cost, holder = ARGV[a+1], tonumber(ARGV[a+3]), ARGV[a+4], ARGV[a+5]
    if kind == 'r' then
      local p = plan[i]
      redis.call('SET', KEYS[i], string.format('%d %d %d', p[1], p[2], p[3]), 'PX', p[4] * 2)
    elseif kind == 'b' then
      redis.call('HINCRBY', KEYS[i], 'held', cost)
      redis.call('ZADD', KEYS[i] .. ':held', now + tonumber(ARGV[a+7]), holder .. '|' .. cost)
      redis.call('PEXPIREAT', KEYS[i], window)
      redis.call('PEXPIREAT', KEYS[i] .. ':held', window)
    else
      redis.call('ZADD', KEYS[i], now + window, holder)
      redis.call('PEXPIRE', KEYS[i], window)
    end
  end
end
if must then out[#out+1] = counted end
return {refused, retry, unpack(out)}
"""
# What a call really used, in place of what it took; once a window is over there is nothing left to mend in it.
# A budget that reached half, four fifths or all of what people gave is put where the worker looks for news.
SETTLE_SCRIPT = """
redis.replicate_commands()
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, #KEYS do
  local a = (i - 1) * 6
  local kind, window, cost = ARGV[a+1], tonumber(ARGV[a+2]), tonumber(ARGV[a+3])
  local holder, actual = ARGV[a+4], tonumber(ARGV[a+5])
  if kind == 'p' then
    redis.call('ZREM', KEYS[i], holder)
  elseif kind == 'r' then
    local value = redis.call('GET', KEYS[i])
    if value and actual ~= cost then
      local index, current, previous = string.match(value, '(%d+) (%d+) (%d+)')
      if tonumber(index) == math.floor(now / window) then
        current = math.max(0, tonumber(current) + actual - cost)
        redis.call('SET', KEYS[i], string.format('%d %d %d', index, current, previous), 'KEEPTTL')
      end
    end
  elseif now < window then
    if redis.call('ZREM', KEYS[i] .. ':held', holder .. '|' .. ARGV[a+3]) == 1 then
      redis.call('HINCRBY', KEYS[i], 'held', 0 - cost)
    end
    local spent, amount = redis.call('HINCRBY', KEYS[i], 'spent', ARGV[a+5]), tonumber(ARGV[a+6])
    local share = amount > 0 and spent * 100 / amount or 0
    local reached = (share >= 100 and 100) or (share >= 80 and 80) or (share >= 50 and 50)
    if reached then
      local news = ARGV[a+6] .. ' ' .. reached
      if redis.call('HGET', KEYS[i], 'told') ~= news then
        redis.call('HSET', KEYS[i], 'told', news)
        redis.call('SADD', 'bk:lim:crossed', KEYS[i])
      end
    end
    if actual > tonumber(redis.call('HGET', KEYS[i], 'dearest') or '0') then
      redis.call('HSET', KEYS[i], 'dearest', ARGV[a+5])
    end
    redis.call('PEXPIREAT', KEYS[i], window)
  end
end
return 1
"""
log = logging.getLogger("brokle.edge.limits")
_SHA = hashlib.sha1(SCRIPT.encode()).hexdigest()  # noqa: S324 - Redis names scripts by SHA-1
_SETTLE_SHA = hashlib.sha1(SETTLE_SCRIPT.encode()).hexdigest()  # noqa: S324 - Redis names scripts by SHA-1
_HOLD_MS = 15 * 60_000

Kind = Literal["rate", "budget", "parallel"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One entry of a check.

    rate: `amount` per `window_ms`, `cost` taken.
    budget: `amount` until `window_ms` (epoch ms); `cost`, the most the call may come to, is held by `holder` for at
    most `hold_ms`; `least` is what it will come to at any rate; of `given`, shares are told to people, 0 for none.
    parallel: `amount` slots, each held for at most `window_ms` by `holder`.
    """

    kind: Kind
    name: str
    amount: int
    window_ms: int
    cost: int = 1
    holder: str = ""
    least: int = 0
    hold_ms: int = _HOLD_MS
    given: int = 0

    @property
    def key(self) -> str:
        return KEY_PREFIX + self.name


class Verdict(msgspec.Struct, frozen=True):
    allowed: bool
    refused: int
    retry_after_ms: int
    remaining: tuple[int, ...]
    reset_ms: tuple[int, ...]

    @property
    def must_wait(self) -> bool:
        """Neither yes nor no: it depends on what calls under way come to."""
        return self.retry_after_ms < 0


_CODES: dict[Kind, str] = {"rate": "r", "budget": "b", "parallel": "p"}


class UnableToCheckLimits(Exception):
    """Redis is not there to ask; the limiter's `without_redis` says whether to serve."""


class WithoutRedis(Enum):
    """What limits do while nobody counts. A hard budget that nobody counts is none: it alone is closed by default."""

    BUDGETS_CLOSED = "budgets-closed"
    OPEN = "open"
    CLOSED = "closed"

    @classmethod
    def read(cls, environment: Environment) -> "WithoutRedis":
        return cls(environment.text("BROKLE_LIMITS_WITHOUT_REDIS").strip().lower())

    def lets_go(self, *, has_hard_budget: bool) -> bool:
        return self is WithoutRedis.OPEN or (self is WithoutRedis.BUDGETS_CLOSED and not has_hard_budget)

    def check(self, reason: UnableToCheckLimits, *, has_hard_budget: bool) -> None:
        """Returns where the call may go on."""
        log.warning("limits not checked", extra={"reason": str(reason)})
        if not self.lets_go(has_hard_budget=has_hard_budget):
            what = "budget" if has_hard_budget else "limits"
            raise Unavailable(f"The {what} of this call cannot be checked right now", retry_after_s=1) from reason


def check_command(limits: Sequence[Limit]) -> list[str | bytes | int]:
    """The whole check as one command, for whichever client sends it."""
    arguments: list[str | bytes | int] = ["EVALSHA", _SHA, len(limits)]
    arguments.extend(limit.key for limit in limits)
    for limit in limits:
        arguments.extend((_CODES[limit.kind], limit.amount, limit.window_ms, limit.cost))
        arguments.extend((limit.holder, limit.least, limit.hold_ms))
    return arguments


def pack_check(limits: Sequence[Limit]) -> bytes:
    """Done once per key when nothing in it varies by request. Budgets need a limiter's own `pack`."""
    return pack(*check_command(limits))


def read_verdict(reply: list[int]) -> Verdict:
    return Verdict(reply[0] == 0, reply[0] - 1, reply[1], tuple(reply[2::2]), tuple(reply[3::2]))


class Limiter:
    def __init__(self, redis: RedisLink, without_redis: WithoutRedis = WithoutRedis.BUDGETS_CLOSED) -> None:
        self._redis = redis
        self._was_counted = False
        self._owes = False
        self.without_redis = without_redis
        redis.on_connect.append(self._connected)

    def pack(self, limits: Sequence[Limit]) -> bytes:
        command = check_command(limits)
        if any(limit.kind == "budget" for limit in limits):
            command.append(int(self._was_counted))
        return pack(*command)

    def _connected(self) -> None:
        """What could not be booked while Redis was away is in the log: it is counted anew from there."""
        asked = self._redis.call("DEL" if self._owes else "EXISTS", COUNTED)
        asked.add_done_callback(self._heard)

    def _heard(self, asked: asyncio.Future[Any]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            self._owes = False
            self._was_counted = self._was_counted or asked.result() == 1

    def ask(self, packed: bytes, *, has_hard_budget: bool = False) -> asyncio.Future[Any]:
        """Sends the check; `verdict` reads the answer. What the caller awaits in between costs no second wait."""
        try:
            if self.without_redis.lets_go(has_hard_budget=has_hard_budget):
                return self._redis.call_impatient(packed)
            return self._redis.call_packed(packed)
        except RedisDown as error:
            redis_errors.inc()
            raise UnableToCheckLimits(str(error)) from error

    async def verdict(self, asked: asyncio.Future[Any], packed: bytes) -> Verdict:
        if not tracer.is_on:
            return await self._verdict(asked, packed)
        with tracer.span("EVALSHA redis") as span:
            span.set("db.system.name", "redis")
            span.set("db.operation.name", "EVALSHA")
            return await self._verdict(asked, packed)

    async def _verdict(self, asked: asyncio.Future[Any], packed: bytes) -> Verdict:
        try:
            reply = await asked
            if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
                await self._redis.ask("SCRIPT", "LOAD", SCRIPT)
                reply = await self._redis.call_packed(packed)
        except RedisDown as error:
            redis_errors.inc()
            raise UnableToCheckLimits(str(error)) from error
        if isinstance(reply, hiredis.ReplyError):
            redis_errors.inc()
            raise UnableToCheckLimits(str(reply))
        if reply[0] < 0:
            raise UnableToCheckLimits("budgets are being counted anew")
        if len(reply) % 2:
            self._was_counted = self._was_counted or reply.pop() == 1
        return read_verdict(reply)

    async def check(self, packed: bytes, *, has_hard_budget: bool = False) -> Verdict:
        return await self.verdict(self.ask(packed, has_hard_budget=has_hard_budget), packed)

    async def take(self, limits: list[Limit]) -> Verdict:
        return await self.check(self.pack(limits))

    async def settle(self, taken: Sequence[tuple[Limit, int]]) -> None:
        """After the call: each limit with what it really used. A slot is free again, a hold becomes what was spent."""
        try:
            await self._settle(taken)
        except RedisDown:
            self._owes = self._owes or any(limit.kind == "budget" and actual for limit, actual in taken)
            raise

    async def _settle(self, taken: Sequence[tuple[Limit, int]]) -> None:
        arguments: list[str | bytes | int] = [len(taken), *(limit.key for limit, _ in taken)]
        for limit, actual in taken:
            arguments.extend((_CODES[limit.kind], limit.window_ms, limit.cost, limit.holder, actual, limit.given))
        try:
            await self._redis.ask("EVALSHA", _SETTLE_SHA, *arguments)
        except hiredis.ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            await self._redis.ask("EVAL", SETTLE_SCRIPT, *arguments)
