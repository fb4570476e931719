import http.server
import socket
import threading

import pytest

from brokle.cli.executor import LateStart, container_engine_answers, web_is_ready


@pytest.fixture
def web():
    """Answers /health/ready with the status it is told."""

    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.status if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    server.status = 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_engine_answers_while_someone_listens_on_its_socket(tmp_path):
    path = str(tmp_path / "docker.sock")
    assert container_engine_answers(path) is False

    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(path)
        engine.listen()
        assert container_engine_answers(path) is True

    assert container_engine_answers(path) is False


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - how it listens in a container
@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_the_web_is_ready_when_it_says_so(web, host, status, ready):
    web.status = status

    assert web_is_ready(host, web.server_port) is ready


def test_nobody_listening_is_not_ready():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        assert web_is_ready("127.0.0.1", taken.getsockname()[1]) is False


def test_the_executor_starts_when_both_are_there_and_is_not_asked_for_at_every_tick(web):
    looks = []
    start = LateStart("127.0.0.1", web.server_port, engine_answers=lambda: looks.append(1) or True)

    web.status = 503
    assert start.is_due() is False
    web.status = 200
    assert start.is_due() is False
    assert len(looks) == 1
    start.looked_at -= 2
    assert start.is_due() is True


def test_without_an_engine_it_never_starts(web):
    assert LateStart("127.0.0.1", web.server_port, engine_answers=lambda: False).is_due() is False
