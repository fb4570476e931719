"""What the gateway adds to the words of 1,000 streams at once: `python -m bench.gateway_streams`.

The upstream writes into its chunks when it heard and when it spoke, by the clock that the caller here reads too.
"""

import asyncio
import multiprocessing
import re
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.gateway import Subject, body_of, brokle, cpu_s, headers_of
from bench.paced_upstream import CHUNKS, serve

STREAMS, ARRIVE_S = 1_000, 10
_STAMPS = re.compile(rb"@([\d.]+) ([\d.]+)@")


@dataclass
class Heard:
    """Milliseconds: of each stream's first word, and of all later words."""

    first: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    chunks: int = 0
    whole: int = 0


class Listening(asyncio.Protocol):
    def __init__(self, request: bytes, heard: Heard) -> None:
        self.request, self.heard = request, heard
        self.ended = asyncio.get_running_loop().create_future()
        self.is_first = True

    def connection_made(self, transport):
        self.transport = transport
        self.asked = time.monotonic()
        transport.write(self.request)

    def data_received(self, data):
        now = time.monotonic()
        for heard, said in _STAMPS.findall(data):
            self.heard.chunks += 1
            if self.is_first:
                self.is_first = False
                self.heard.first.append(((now - self.asked) - (float(said) - float(heard))) * 1000)
            else:
                self.heard.later.append((now - float(said)) * 1000)
        if b"[DONE]" in data:
            self.heard.whole += 1
            self.transport.close()

    def connection_lost(self, exc):
        if not self.ended.done():
            self.ended.set_result(None)


async def listen(subject: Subject, count: int) -> Heard:
    host, _, path = subject.url.removeprefix("http://").partition("/")
    body = body_of(subject, is_stream=True)
    lines = [f"POST /{path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers_of(subject).items()]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    heard, loop, begun = Heard(), asyncio.get_running_loop(), []
    name, _, port = host.partition(":")
    began = loop.time()
    for number in range(count):
        await asyncio.sleep(began + number * ARRIVE_S / count - loop.time())
        begun.append(await loop.create_connection(lambda: Listening(request, heard), name, int(port)))
    await asyncio.gather(*(protocol.ended for _, protocol in begun))
    return heard


def shown(name: str, heard: Heard, count: int, cpu_ms: float) -> tuple[str, ...]:
    first, later = (statistics.quantiles(values, n=100) for values in (heard.first, heard.later))
    lost = count * CHUNKS - heard.chunks
    figures = [f"{value:.2f}" for value in (first[49], first[98], later[49], later[98], cpu_ms)]
    return name, *figures, f"{heard.whole}", f"{lost}"


def main() -> None:
    pipe, theirs = multiprocessing.Pipe()
    upstream = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    upstream.start()
    address = f"http://127.0.0.1:{pipe.recv()}/v1"
    columns = ("", "first word p50 ms", "p99", "later words p50", "p99", "CPU-ms a stream", "whole", "chunks lost")
    table = Table(*columns, title=f"{STREAMS:,} streams of {CHUNKS} chunks, arriving over {ARRIVE_S} s; what was added")
    try:
        with tempfile.TemporaryDirectory() as folder, brokle(Path(folder), address) as subject:
            direct = Subject("the upstream itself", f"{address}/chat/completions", {}, "fast", [])
            uvloop.run(listen(subject, 50))
            for one in (direct, subject, subject, subject):
                before = cpu_s(one.processes)
                heard = uvloop.run(listen(one, STREAMS))
                table.add_row(*shown(one.name, heard, STREAMS, (cpu_s(one.processes) - before) / STREAMS * 1000))
    finally:
        upstream.terminate()
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
