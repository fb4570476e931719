import asyncio

import pytest
from django.conf import settings

from brokle.web.asgi import control_plane

PIECE = b" " * 1024 * 1024
LARGEST = settings.DATA_UPLOAD_MAX_MEMORY_SIZE


async def post(path, pieces, headers=()):
    """The answer's status, and how much of the body was taken."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers],
        "query_string": b"",
    }
    taken, status = 0, []

    async def receive():
        nonlocal taken
        if taken == pieces * len(PIECE):
            await asyncio.get_running_loop().create_future()
        taken += len(PIECE)
        return {"type": "http.request", "body": PIECE, "more_body": taken < pieces * len(PIECE)}

    async def send(message):
        status.append(message.get("status"))

    await control_plane()(scope, receive, send)
    return status[0], taken


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize(("path", "status"), [("/api/v1/keys", 413), ("/nowhere/at.all", 404)])
async def test_a_body_over_the_limit_is_not_taken(declared, path, status):
    pieces = 4 * LARGEST // len(PIECE)
    length = [(b"content-length", str(pieces * len(PIECE)).encode())] if declared else []
    found, taken = await post(path, pieces, length)

    assert found == status
    assert taken <= LARGEST + len(PIECE)


async def test_a_body_of_the_limit_is_taken_whole():
    assert await post("/api/v1/keys", LARGEST // len(PIECE)) == (401, LARGEST)
