"""As little of an upstream as answers what the benches send, in a process of its own."""

import asyncio
from multiprocessing.connection import Connection as Pipe

import uvloop

BODY = b'{"model":"fast","messages":[{"role":"user","content":"' + b"x" * 540 + b'"}]}'
ANSWER = b'{"id":"chatcmpl-1","choices":[{"message":{"role":"assistant","content":"' + b"y" * 522 + b'"}}]}'


class Answering(asyncio.Protocol):
    """As little of a server as answers these requests: it counts bodies by their known length."""

    reply = (
        b"HTTP/1.1 200 OK\r\ndate: Fri, 20 Nov 2026 10:00:00 GMT\r\nserver: bench\r\n"
        b"content-type: application/json\r\nx-request-id: req_0123456789\r\n"
        b"x-ratelimit-remaining-requests: 9999\r\ncontent-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
    )

    def connection_made(self, transport):
        self.transport = transport
        self.pending = b""

    def data_received(self, data):
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0 and len(self.pending) >= end + 4 + len(BODY):
            self.pending = self.pending[end + 4 + len(BODY) :]
            self.transport.write(self.reply)


def serve(pipe: Pipe) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())
