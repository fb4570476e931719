"""What one relayed call costs in the egress client, beside aiohttp in the same run.

`python -m bench.egress` (needs `uv sync --group bench`): a local upstream in a process of its own answers 600
bytes of JSON; 32 tasks call it for a few seconds per round, the rivals in turn; the table shows medians.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp
import uvloop

from bench.upstream import ANSWER, BODY, serve
from brokle.edge.egress import EgressClient, Policy

HEADERS = {"authorization": "Bearer sk-bench", "content-type": "application/json"}
TASKS = 32

Call = Callable[[], Awaitable[bytes]]


async def measure(call: Call, seconds: float) -> tuple[float, float]:
    """Calls per second and CPU milliseconds per call of this process."""
    loop = asyncio.get_running_loop()
    assert await call() == ANSWER
    ends = loop.time() + seconds
    counts = [0] * TASKS

    async def work(position: int) -> None:
        while loop.time() < ends:
            await call()
            counts[position] += 1

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work(position) for position in range(TASKS)))
    calls = sum(counts)
    return calls / (time.perf_counter() - started), (time.process_time() - cpu) * 1000 / calls


async def with_brokle(url: str, seconds: float) -> tuple[float, float]:
    async with EgressClient(Policy(allow=["127.0.0.1"])) as client:
        target = client.prepare("POST", url, HEADERS)

        async def call() -> bytes:
            async with target.send(BODY) as response:
                return await response.read()

        return await measure(call, seconds)


async def with_brokle_unprepared(url: str, seconds: float) -> tuple[float, float]:
    async with EgressClient(Policy(allow=["127.0.0.1"])) as client:

        async def call() -> bytes:
            async with client.request("POST", url, headers=HEADERS, body=BODY) as response:
                return await response.read()

        return await measure(call, seconds)


async def with_aiohttp(url: str, seconds: float) -> tuple[float, float]:
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def call() -> bytes:
            async with session.post(url, data=BODY) as response:
                return await response.read()

        return await measure(call, seconds)


RIVALS = {"brokle, prepared": with_brokle, "brokle, any URL": with_brokle_unprepared, "aiohttp": with_aiohttp}
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}/v1/chat/completions"
        report(alternate(url, arguments.rounds, arguments.seconds))
    finally:
        server.terminate()


def alternate(url: str, rounds: int, seconds: float) -> dict[tuple[str, str], list[tuple[float, float]]]:
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for loop_name, factory in LOOPS.items():
            for name, rival in RIVALS.items():
                with asyncio.Runner(loop_factory=factory) as runner:
                    result = runner.run(rival(url, seconds))
                results.setdefault((loop_name, name), []).append(result)
    return results


def report(results: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
    medians = {
        key: (statistics.median(rate for rate, _ in rounds), statistics.median(cpu for _, cpu in rounds))
        for key, rounds in results.items()
    }
    print(f"{'loop':8} {'client':20} {'requests/s':>11} {'CPU-ms/request':>15} {'x aiohttp':>10}")
    for (loop_name, name), (rate, cpu) in medians.items():
        ratio = rate / medians[loop_name, "aiohttp"][0]
        print(f"{loop_name:8} {name:20} {rate:11,.0f} {cpu:15.4f} {ratio:10.2f}")


if __name__ == "__main__":
    main()
