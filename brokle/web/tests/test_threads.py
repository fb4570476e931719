import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from brokle.kernel.log import context
from brokle.web.threads import ThreadedHandler

SCOPE = {"type": "http", "method": "GET", "headers": [(b"host", b"localhost")], "query_string": b""}
LINE = "x" * 1000
given: list[int] = []


def backend(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    answer = HttpResponse(f"{pid} {threading.current_thread().name} {request.method} {len(request.body)}")
    answer.set_cookie("seen", "yes")
    return answer


def lines(request):
    def count():
        for number in range(1000):
            given.append(number)
            yield LINE

    return StreamingHttpResponse(count())


def words(request):
    return HttpResponse("words")


def torn(request):
    def fail():
        yield LINE
        raise ArithmeticError

    return StreamingHttpResponse(fail())


urlpatterns = [path("backend", backend), path("lines", lines), path("words", words), path("torn", torn)]


class Caller:
    """Hears what is sent; `slow` takes a piece only when it is asked."""

    def __init__(self, handler, address, *, body=b"", held_at=None):
        self.handler, self.address, self.body = handler, address, body
        self.messages = []
        self.held_at, self.go_on, self.is_held = held_at, asyncio.Event(), asyncio.Event()

    async def run(self):
        await self.handler({**SCOPE, "path": self.address}, self.receive, self.send)
        return self

    async def receive(self):
        return {"type": "http.request", "body": self.body}

    async def send(self, message):
        if len(self.messages) == self.held_at:
            self.is_held.set()
            await self.go_on.wait()
        self.messages.append(message)

    @property
    def text(self):
        return b"".join(message.get("body", b"") for message in self.messages).decode()


@pytest.fixture
def handler():
    with (
        override_settings(ROOT_URLCONF=__name__),
        ThreadPoolExecutor(1, "control-plane") as threads,
        ThreadPoolExecutor(1, "downloads") as downloads,
    ):
        yield ThreadedHandler(threads, downloads)
        threads.submit(connections.close_all).result()


@pytest.mark.django_db(transaction=True)
async def test_a_thread_and_its_connection_serve_one_request_after_another(handler):
    first = await Caller(handler, "/backend", body=b"a body").run()
    second = await Caller(handler, "/backend", body=b"a body").run()

    assert first.messages[0]["status"] == 200
    assert any(name == b"set-cookie" and value.startswith(b"seen=") for name, value in first.messages[0]["headers"])
    assert first.text == second.text
    assert first.text.split()[1].startswith("control-plane")
    assert context.get() is None


async def test_a_download_waits_for_who_takes_it(handler):
    given.clear()
    caller = Caller(handler, "/lines", held_at=1)
    running = asyncio.create_task(caller.run())
    await caller.is_held.wait()

    assert len(given) < 100
    page = await Caller(handler, "/words").run()  # while the only thread of downloads is held
    assert page.text == "words"
    caller.go_on.set()
    await running
    assert caller.text == LINE * 1000
    assert [message["type"] for message in caller.messages[:2]] == ["http.response.start", "http.response.body"]
    assert not caller.messages[-1].get("more_body")


async def test_a_download_that_fails_is_not_ended_as_if_it_were_whole(handler):
    caller = Caller(handler, "/torn")
    with pytest.raises(ArithmeticError):
        await caller.run()
    assert all(message.get("more_body", True) for message in caller.messages)
