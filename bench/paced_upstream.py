"""A provider in OpenAI's form that streams at a pace and writes into its words when it heard and when it spoke."""

import asyncio
import json
import time
from multiprocessing.connection import Connection as Pipe

import uvloop

CHUNKS = 52
THINKS_S = 0.2
PAUSE_S = 0.2
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _event(content: str, finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "fast"}
    body |= {"choices": [], "usage": usage} if usage else {"choices": [choice]}
    event = b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


class Speaking(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.pending = b""

    def data_received(self, data):
        self.pending += data
        if b"\r\n\r\n" in self.pending and self.pending.endswith(b"}"):
            self.pending = b""
            self.loop.call_later(THINKS_S, self.speak, 0, time.monotonic())

    def speak(self, number, heard):
        """The first says how long it thought; each says when it was said."""
        if self.transport.is_closing():
            return
        said = time.monotonic()
        head = _HEAD if number == 0 else b""
        self.transport.write(head + _event(f"@{heard:.6f} {said:.6f}@"))
        if number + 1 < CHUNKS:
            self.loop.call_later(PAUSE_S, self.speak, number + 1, heard)
            return
        usage = {"prompt_tokens": 10, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 10}
        done = b"data: [DONE]\n\n"
        tail = b"%x\r\n%b\r\n0\r\n\r\n" % (len(done), done)
        self.transport.write(_event("", "stop") + _event("", None, usage) + tail)


def serve(pipe: Pipe) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Speaking, "127.0.0.1", 0, backlog=2048)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())
