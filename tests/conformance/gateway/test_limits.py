"""Rates and budgets are exact, however many call at once and whichever process answers."""

import asyncio
import http.client
import json
import time
from collections import Counter

import pytest
from openai import AsyncOpenAI, RateLimitError

from tests.house import BOOTSTRAP_KEY

pytestmark = pytest.mark.engines

LOOKS = 8  # so many that both processes are among them; each is a request too
HI = [{"role": "user", "content": "hi"}]


def issue(home, **bounds):
    """A key of the management API, known to every process."""
    admin = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
    body = json.dumps({"name": "bounded", "scopes": ["gateway"], **bounds}).encode()
    answer = home.request("POST", "/api/v1/keys", body, admin)
    assert answer.status == 201, answer.body
    key = answer.json()["value"]

    def is_known() -> bool:
        reply = home.request("GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
        return reply.status == 200

    for _ in range(LOOKS):
        home.wait_for(is_known)
    return key


async def call_at_once(home, key, model, count):
    async with AsyncOpenAI(base_url=f"{home.url}/v1", api_key=key, max_retries=0, timeout=120) as client:

        async def one():
            try:
                await client.chat.completions.create(model=model, messages=HI)
            except RateLimitError as error:
                return error.code, error.response.headers
            return "ok", {}

        return await asyncio.gather(*(one() for _ in range(count)))


@pytest.mark.case(19, "openai")
@pytest.mark.parametrize("model", ["mock/ten-cents", "mock/five-cents-a-token"])
async def test_a_dollar_buys_ten_calls_of_ten_cents_out_of_two_hundred_at_once(home, provider, model):
    key = issue(home, budget_usd_micros=1_000_000, budget_window="total")
    provider.calls.clear()

    answers = await call_at_once(home, key, model, 200)

    assert Counter(code for code, _ in answers) == {"ok": 10, "insufficient_quota": 190}
    assert len(provider.calls) == 10


@pytest.mark.case(19, "openai")
async def test_a_call_that_fails_gives_back_what_it_held(home, provider):
    key = issue(home, budget_usd_micros=1_000_000, budget_window="day")
    async with AsyncOpenAI(base_url=f"{home.url}/v1", api_key=key, max_retries=0) as client:
        for _ in range(15):
            with pytest.raises(Exception, match="boom"):
                await client.chat.completions.create(model="mock/broken", messages=HI, max_tokens=1000)

    assert [code for code, _ in await call_at_once(home, key, "mock/ten-cents", 10)] == ["ok"] * 10


@pytest.mark.case(20, "openai")
async def test_fifty_a_minute_are_fifty_out_of_five_hundred(home):
    home.wait_for(lambda: time.time() % 60 < 30)  # the window slides: at its turn a little of it is free again
    key = issue(home, requests_per_minute=50)
    answers = await call_at_once(home, key, "mock/gpt-4o-mini", 500)

    assert Counter(code for code, _ in answers) == {"ok": 50 - LOOKS, "rate_limit_exceeded": 450 + LOOKS}
    refused = next(headers for code, headers in answers if code != "ok")
    assert 0 < int(refused["retry-after"]) <= 120
    assert (refused["x-ratelimit-limit-requests"], refused["x-ratelimit-remaining-requests"]) == ("50", "0")


@pytest.mark.case(20, "openai")
async def test_a_rate_of_tokens_counts_what_was_really_used(home):
    key = issue(home, tokens_per_minute=100)
    codes = [code for _ in range(8) for code, _ in await call_at_once(home, key, "mock/gpt-4o-mini", 1)]

    # Each call uses 18; a sixth would begin at 90 of 100 and is guessed at some 10 by its length.
    assert codes[:5] == ["ok"] * 5
    assert "rate_limit_exceeded" in codes


async def test_each_user_has_a_limit_of_their_own_across_processes(home):
    async with AsyncOpenAI(base_url=f"{home.url}/v1", api_key=BOOTSTRAP_KEY, max_retries=0) as client:

        async def one(user):
            try:
                await client.chat.completions.create(model="mock/gpt-4o-mini", messages=HI, user=user)
            except RateLimitError as error:
                return f"{user} {error.code}"
            return f"{user} ok"

        answers = Counter(await asyncio.gather(*(one(user) for user in ("huda", "samir") for _ in range(20))))

    assert answers == {
        "huda ok": 5,
        "samir ok": 5,
        "huda rate_limit_exceeded": 15,
        "samir rate_limit_exceeded": 15,
    }


async def test_a_model_takes_so_many_calls_at_once_and_a_slot_is_free_again_after(home, provider):
    provider.calls.clear()
    async with AsyncOpenAI(base_url=f"{home.url}/v1", api_key=BOOTSTRAP_KEY, max_retries=0) as client:
        begun = [await client.chat.completions.create(model="mock/endless", messages=HI, stream=True) for _ in range(3)]
        with pytest.raises(RateLimitError, match="3 calls at once"):
            await client.chat.completions.create(model="mock/endless", messages=HI, stream=True)
        await begun[0].close()

        def is_free() -> bool:
            body = json.dumps({"model": "mock/endless", "messages": HI, "stream": True}).encode()
            headers = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
            connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=60)
            connection.request("POST", "/v1/chat/completions", body, headers)
            status = connection.getresponse().status
            connection.close()
            return status == 200

        await asyncio.to_thread(home.wait_for, is_free)
        for stream in begun[1:]:
            await stream.close()


async def test_a_route_has_a_budget_of_its_own(home):
    answers = await call_at_once(home, BOOTSTRAP_KEY, "trial", 20)
    assert Counter(code for code, _ in answers) == {"ok": 3, "insufficient_quota": 17}
