"""A whole Brokle, started as a person starts it, for tests that look from outside."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brokle
from brokle.engines.fleet import free_port

BOOTSTRAP_KEY = "bk_test_bootstrap_0123456789abcdef"
ADMIN = ("amal@noor.example", "a-long-enough-password")
_OUTSIDE = (
    "DATABASE_URL",
    "REDIS_URL",
    "CLICKHOUSE_URL",
    "BROKLE_SECRET_KEY",
    "BROKLE_DATA_DIR",
    "DJANGO_SETTINGS_MODULE",
)
# How long a busy machine may take; nothing here measures how long it does.
_START_SECONDS = 180.0
_WAIT_SECONDS = 90.0


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class House:
    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.arguments = arguments
        base = {name: value for name, value in os.environ.items() if name not in _OUTSIDE}
        self.environment = {
            **base,
            "BROKLE_BOOTSTRAP_KEY": BOOTSTRAP_KEY,
            "BROKLE_LOG_FORMAT": "json",
            "PYTHONPATH": str(brokle.HOUSE),
            **environment,
        }
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "brokle", *arguments]

    def start(self, *, workers: int = 1) -> "House":
        command = self.command("serve", "--data-dir", str(self.data_dir), "--port", str(self.port))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--workers", str(workers), *self.arguments],
                env=self.environment,
                cwd=self.data_dir.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_healthy()
        return self

    def wait_healthy(self) -> None:
        self.wait_for(lambda: self.get("/health/ready").status == 200, _START_SECONDS)

    def wait_for(self, condition: Any, seconds: float = _WAIT_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if condition():
                    return
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"brokle ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s; the log ends:\n{self.log_tail()}")
            time.sleep(0.05)

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env={**self.environment, "BROKLE_DATA_DIR": str(self.data_dir), **environment},
            cwd=self.data_dir.parent,
            capture_output=True,
            text=True,
            check=False,
        )

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)

    def chat(self, text: str = "hello there", *, model: str = "echo/fast", key: str = BOOTSTRAP_KEY) -> Answer:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
        return self.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {key}"})

    def processes(self) -> dict[str, dict[str, Any]]:
        return {process["name"]: process for process in self.get("/health").json()["processes"]}

    def run_file(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text())
        return content

    def stop(self, number: int = signal.SIGTERM, seconds: float = 150.0) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


@contextlib.contextmanager
def house(data_dir: Path, *arguments: str, workers: int = 1, **environment: str) -> Iterator[House]:
    started = House(data_dir, *arguments, **environment)
    try:
        yield started.start(workers=workers)
    finally:
        if started.process is not None and started.process.poll() is None:
            started.stop()
