"""Starts the embedded ClickHouse as the supervisor does, for tests."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class EmbeddedClickHouse:
    home: Path
    process: subprocess.Popen | None = None

    @property
    def port(self):
        return int((self.home / "port").read_text())

    @property
    def password(self):
        return (self.home / "password").read_text().strip()

    @property
    def url(self):
        return f"http://brokle:{self.password}@127.0.0.1:{self.port}/brokle"

    def command(self, *more):
        return [
            *(sys.executable, "-m", "brokle.engines.clickhouse", "--path", str(self.home / "data")),
            *("--port-file", str(self.home / "port"), "--password-file", str(self.home / "password"), *more),
        ]

    def start(self, *more, **popen):
        began = time.monotonic()
        (self.home / "port").unlink(missing_ok=True)
        self.process = subprocess.Popen(self.command(*more), stderr=subprocess.PIPE, **popen)
        while not (self.home / "port").exists():
            if self.process.poll() is not None or time.monotonic() > began + 120:
                raise AssertionError(self.process.stderr.read().decode())
            time.sleep(0.01)
        return self

    def finish(self, seconds=120):
        """Waits for the end and returns (exit code, what it wrote)."""
        _, written = self.process.communicate(timeout=seconds)
        return self.process.returncode, written.decode()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.finish()


def curl(url, *arguments, data=None):
    """What curl printed: status, headers (lower case) and body."""
    command = ["curl", "-sS", "-i", "--max-time", "120", *arguments, url]
    if data is not None:
        command[1:1] = ["--data-binary", "@-"]
    raw = subprocess.run(command, input=data, capture_output=True, check=True).stdout
    head, _, body = raw.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body
