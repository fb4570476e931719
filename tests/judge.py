"""An official client that lives in a process of its own, asked and answering in lines of JSON."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SDK = Path(__file__).parent / "sdk"


class Refused(Exception):
    """What the client raised: `kind` is its class."""

    def __init__(self, kind: str, told: dict[str, Any]) -> None:
        super().__init__(f"{kind}: {told.get('message')}")
        self.kind = kind
        self.told = told


class Judge:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, verb: str, **given: Any) -> dict[str, Any]:
        """The answer as the client understood it, under `value`; of a stream, what it yielded, as a list."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"verb": verb, "given": given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client ended with {self._process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise Refused(answer.pop("refused"), answer)
        return answer


@contextlib.contextmanager
def judge(*command: str, **environment: str) -> Iterator[Judge]:
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield Judge(process)
    finally:
        process.communicate()
