"""Twenty thousand spoiled bodies for every POST address of the gateway: refused in the caller's form, or served."""

import asyncio
import json
import statistics
import time
from collections import Counter

import psutil
import pytest

from tests.fakes.patient_provider import patient_provider
from tests.house import BOOTSTRAP_KEY, house
from tests.security.fuzz.bodies import Sent, sent
from tests.security.fuzz.keep_alive import Heard, Line

pytestmark = [pytest.mark.engines]

COUNT, WARM, SEED = 20_000, 2_000, 20_261_127
_LINES = 4
_GROWTH = 20 * 1024 * 1024
_HUGE = b'{"model": "relay/m", "messages": [{"role": "user", "content": "' + b"x" * (64 * 1024 * 1024) + b'"}]}'
_SHAPES = {
    "openai": {"message", "type", "param", "code"},
    "anthropic": {"type", "message", "details"},
    "gemini": {"code", "message", "status"},
}
_PROVIDERS = """
providers:
  - {{name: relay, kind: openai-compatible, base_url: "{url}/v1", api_key: k}}
  - {{name: claude, kind: anthropic, base_url: "{url}", api_key: k}}
  - {{name: google, kind: gemini, base_url: "{url}", api_key: k}}
  - {{name: cohere, kind: cohere, base_url: "{url}", api_key: k}}
  - {{name: ollama, kind: ollama, base_url: "{url}"}}
  - {{name: bedrock, kind: bedrock, base_url: "{url}", api_key: "a:b", options: {{region: here}}}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bodies")
    with patient_provider() as provider:
        file = folder / "brokle.yaml"
        file.write_text(_PROVIDERS.format(url=provider.url))
        settings = {"BROKLE_CONFIG": str(file), "BROKLE_EGRESS_ALLOW": "127.0.0.1", "BROKLE_LOG_LEVEL": "warning"}
        with house(folder / "data", **settings) as started:
            yield started


def fault(heard: Heard) -> str:
    answer = heard.answer
    if not answer.status or answer.status >= 500:
        return f"answered {answer.status} {answer.body[:200]!r}"
    if answer.status < 400:
        return ""
    try:
        error = json.loads(answer.body)["error"]
    except (ValueError, TypeError, KeyError):
        return f"refused {answer.status} with {answer.body[:100]!r}"
    return "" if set(error) == _SHAPES[heard.sent.shape] else f"refused {answer.status} with {answer.body[:100]!r}"


async def post_all(home, bodies):
    heard: list[Heard] = []
    waiting = iter(bodies)

    async def send_some():
        line = Line(home.port, {"authorization": f"Bearer {BOOTSTRAP_KEY}"})
        heard.extend([await line.post(one) for one in waiting])
        line.close()

    await asyncio.gather(*(send_some() for _ in range(_LINES)))
    return heard


def workers(home):
    """The processes that listen: those whose memory callers could fill."""
    found = psutil.Process(home.processes()["web"]["pid"])
    return [child for child in found.children(recursive=True) if "python" in child.name() or "brokle" in child.name()]


def resident(processes):
    return sum(process.memory_info().rss for process in processes)


def told(faults):
    """How many of each kind, and the first of them."""
    kinds = Counter(kind for _, kind in faults)
    by_kind = {kind: [f"{one.path} {one.about}" for one, held in faults if held == kind][:8] for kind in kinds}
    return [f"{count} times {kind}: {by_kind[kind]}" for kind, count in kinds.most_common(40)]


async def test_twenty_thousand_spoiled_bodies_are_refused_or_served_and_leave_nothing_behind(home):
    huge = [
        Sent("/v1/chat/completions", "openai", _HUGE, "64 MB", is_chunked=is_chunked) for is_chunked in (False, True)
    ]
    bodies = [*huge, *sent(COUNT - len(huge), SEED)]
    serving = workers(home)
    assert serving

    began = time.monotonic()
    heard = await post_all(home, bodies[:WARM])
    warm = resident(serving)
    heard += await post_all(home, bodies[WARM:])
    grown = resident(serving) - warm
    all_s = time.monotonic() - began

    took_ms = statistics.quantiles([one.took_s * 1000 for one in heard], n=100)
    statuses = Counter(one.answer.status for one in heard)
    said = f"{all_s:.0f} s, p50 {took_ms[49]:.1f} ms, p99 {took_ms[98]:.1f} ms, grown {grown / 1e6:.1f} MB"
    print(f"\n{said}, {dict(statuses)}")  # noqa: T201 - what was measured
    faults = told([(one.sent, kind) for one in heard if (kind := fault(one))])
    assert not faults, "\n".join(faults)
    assert len(heard) == COUNT
    assert grown < _GROWTH
    assert took_ms[98] < 500
    assert [process.pid for process in workers(home)] == [process.pid for process in serving]
    assert home.chat().status == 200


def test_nothing_of_it_was_an_error_of_ours(home):
    """Runs last: what the house says of the calls before."""
    lines = [json.loads(line) for line in home.log.read_text().splitlines()]
    errors = Counter((line["logger"], line["message"]) for line in lines if line["level"] in {"error", "critical"})
    assert dict(errors) == {}
