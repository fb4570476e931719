"""What the gateway adds to one answer at a steady 500 requests a second: `python -m bench.gateway_latency`.

An open loop: each request is sent at its moment, whatever became of those before, and its latency counts from then.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.chat_upstream import serve
from bench.gateway import Subject, body_of, brokle, cpu_s, headers_of

RATE, SECONDS, ROUNDS = 500, 10, 3
_CONNECTIONS = 64


class Calling(asyncio.Protocol):
    """A connection that stays; answers are short and come with their length."""

    def __init__(self) -> None:
        self.buffer = b""
        self.answered: asyncio.Future[None] | None = None

    def connection_made(self, transport):
        self.transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[None]":
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answered

    def data_received(self, data):
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        assert head.startswith(b"HTTP/1.1 200"), self.buffer
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) >= int(length.partition(b":")[2]):
            self.buffer = b""
            self.answered.set_result(None)


async def latencies(subject: Subject, seconds: int) -> list[float]:
    host, _, path = subject.url.removeprefix("http://").partition("/")
    body = body_of(subject, is_stream=False)
    lines = [f"POST /{path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers_of(subject).items()]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    loop, found = asyncio.get_running_loop(), []
    name, _, port = host.partition(":")
    free: asyncio.LifoQueue[Calling] = asyncio.LifoQueue()
    for _ in range(_CONNECTIONS):
        _, protocol = await loop.create_connection(Calling, name, int(port))
        free.put_nowait(protocol)

    async def one(at: float) -> None:
        calling = await free.get()
        await calling.ask(request)
        found.append((time.monotonic() - at) * 1000)
        free.put_nowait(calling)

    began, asked = time.monotonic() + 0.1, []
    for number in range(RATE * seconds):
        at = began + number / RATE
        if (pause := at - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        asked.append(asyncio.create_task(one(at)))
    await asyncio.gather(*asked)
    while not free.empty():
        free.get_nowait().transport.close()
    return found


def main() -> None:
    pipe, theirs = multiprocessing.Pipe()
    upstream = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    upstream.start()
    address = f"http://127.0.0.1:{pipe.recv()}/v1"
    table = Table("", "p50 ms", "p95", "p99", "CPU-ms/request", title=f"{RATE} requests a second, {SECONDS} s each")
    added: list[tuple[float, float]] = []
    try:
        with tempfile.TemporaryDirectory() as folder, brokle(Path(folder), address) as subject:
            direct = Subject("the upstream itself", f"{address}/chat/completions", {}, "fast", [])
            uvloop.run(latencies(subject, 5))
            for _ in range(ROUNDS):
                rows = []
                for one in (direct, subject):
                    before = cpu_s(one.processes)
                    found = uvloop.run(latencies(one, SECONDS))
                    cuts = statistics.quantiles(found, n=100)
                    rows.append(cuts)
                    cpu_ms = (cpu_s(one.processes) - before) / len(found) * 1000
                    table.add_row(one.name, *(f"{cuts[at]:.2f}" for at in (49, 94, 98)), f"{cpu_ms:.3f}")
                added.append((rows[1][49] - rows[0][49], rows[1][98] - rows[0][98]))
    finally:
        upstream.terminate()
    p50, p99 = (statistics.median(values) for values in zip(*added, strict=True))
    table.caption = f"added, median of {ROUNDS} rounds: p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
