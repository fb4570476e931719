"""A provider in OpenAI's form that costs next to nothing: one short answer, or a stream of 52 chunks."""

import asyncio
import json
import re
from multiprocessing.connection import Connection as Pipe

import uvloop

CHUNKS = 52
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_USAGE = {"prompt_tokens": 140, "completion_tokens": 130, "total_tokens": 270}


def _json(**members: object) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def _whole() -> bytes:
    message = {"role": "assistant", "content": "y" * 420, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    raw = _json(id="chatcmpl-1", object="chat.completion", created=1, model="fast", choices=[choice], usage=_USAGE)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(raw), raw)


def _event(choices: list, **more: object) -> bytes:
    raw = _json(id="c1", object="chat.completion.chunk", created=1, model="fast", choices=choices, **more)
    return _framed(b"data: " + raw + b"\n\n")


def _choice(delta: dict, finish: str | None = None) -> list:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _stream() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    first = head + _event(_choice({"role": "assistant", "content": ""}))
    words = [_event(_choice({"content": f"word{number} "})) for number in range(CHUNKS - 3)]
    last = [_event(_choice({}, "stop")), _event([], usage=_USAGE)]
    return [first, *words, *last, _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"]


class Answering(asyncio.Protocol):
    whole, pieces = _whole(), _stream()

    def connection_made(self, transport):
        self.transport = transport
        self.pending = b""

    def data_received(self, data):
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self.pending, 0, end)
            size = end + 4 + (int(found.group(1)) if found else 0)
            if len(self.pending) < size:
                return
            body, self.pending = self.pending[end + 4 : size], self.pending[size:]
            if b'"stream":true' in body.replace(b" ", b""):
                for piece in self.pieces:  # one packet each, as a provider sends them
                    self.transport.write(piece)
            else:
                self.transport.write(self.whole)


def serve(pipe: Pipe) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())
