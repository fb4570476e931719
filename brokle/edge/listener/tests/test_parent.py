"""The server as it runs: a parent, its workers, their end."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil

from brokle.engines.fleet import free_port


class Server:
    def __init__(self, application="application", workers=2, drain_s=20):
        self.port = free_port()
        command = [sys.executable, "-m", "brokle.edge.server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", str(workers), "--application", f"brokle.edge.listener.tests.staging:{application}"]
        environment = {**os.environ, "BROKLE_DRAIN_SECONDS": str(drain_s)}  # noqa: TID251 - passed on
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        self._parent = psutil.Process(self.process.pid)

    def children(self):
        return self._parent.children() if self.process.poll() is None else []

    def pids(self):
        return {child.pid for child in self.children()}

    def get(self, path="/"):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line, line.makefile("rb") as answer:
            line.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            told = answer.read().partition(b"\r\n\r\n")[2]
        if not told:
            raise ConnectionError
        return int(told)

    def answers(self):
        try:
            return self.get() > 0
        except OSError:
            return False

    def tell(self, number):
        self.process.send_signal(number)

    def slow(self, seconds):
        """A request under way in a thread; what came of it is in the list, later."""
        found = []

        def wait():
            try:
                found.append(self.get(f"/slow?{seconds}"))
            except (OSError, ValueError) as error:
                found.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        return thread, found


def until(condition, seconds=30):
    ends_at = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends_at
        time.sleep(0.01)
    return found


@contextmanager
def serving(**settings):
    server = Server(**settings)
    try:
        until(server.answers)
        yield server
    finally:
        server.tell(signal.SIGKILL)
        server.process.communicate()


def test_a_worker_that_ends_is_replaced_and_the_others_go_on():
    with serving() as server:
        before = until(lambda: len(server.pids()) == 2 and server.pids())
        gone = server.get()
        os.kill(gone, signal.SIGKILL)
        until(lambda: server.answers() and server.get() != gone)
        after = until(lambda: len(server.pids()) == 2 and gone not in server.pids() and server.pids())
        assert len(before & after) == 1


def test_new_code_takes_over_without_a_request_lost():
    with serving(workers=1) as server:
        (old,) = server.pids()
        thread, found = server.slow(0.5)
        server.tell(signal.SIGHUP)
        seen = set()
        while old in server.pids():
            seen.add(server.get())
        thread.join()
        assert found == [old]
        assert {old} < seen | server.pids()
        assert server.get() != old


def test_a_stop_answers_what_is_under_way():
    with serving() as server:
        thread, found = server.slow(0.5)
        until(lambda: connections(server))
        server.tell(signal.SIGTERM)
        server.tell(signal.SIGTERM)
        assert server.process.wait(20) == 0
        thread.join()
        assert len(found) == 1
        assert isinstance(found[0], int)


def connections(server):
    """Of the slow one; the others are closed by their callers."""
    return [
        connection
        for child in server.children()
        for connection in child.net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED
    ]


def test_who_does_not_end_in_time_is_ended():
    with serving(drain_s=1) as server:
        thread, found = server.slow(60)
        until(lambda: connections(server))
        server.tell(signal.SIGTERM)
        assert server.process.wait(20) == 0
        thread.join()
        assert isinstance(found[0], OSError)


def test_workers_do_not_outlive_their_parent():
    with serving() as server:
        workers = server.children()
        server.process.kill()
        gone, alive = psutil.wait_procs(workers, timeout=20)
        assert (len(gone), alive) == (2, [])


def test_a_server_whose_workers_cannot_begin_says_so_and_ends():
    server = Server("unable")
    _, told = server.process.communicate(timeout=60)
    assert server.process.returncode == 1
    assert b"web worker ended" in told


def test_a_port_that_is_taken_is_said_in_words():
    with serving(workers=1) as server:
        command = [*server.process.args[:-2], "--application", "x:y"]
        second = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert second.returncode == 1
        assert b"already" in second.stderr
