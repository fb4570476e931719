"""The whole gateway beside LiteLLM, Portkey and TensorZero, same upstream, same two cores: `python -m bench.gateway`.

Brokle runs as its users run it, everything on: key, limits, prices, accounting, spool, console. Needs wrk and npm.
"""

import json
import multiprocessing
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench import rivals
from bench.chat_upstream import serve
from tests.house import BOOTSTRAP_KEY, House, house

SECONDS, ROUNDS, CONNECTIONS = 6, 3, 32
TEXT = "x" * 540
_PAGES = 2


@dataclass
class Seen:
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    other_ms: float = 0.0
    count: int = 0


@dataclass
class Subject:
    """`processes` answer calls; `others` store what happened meanwhile."""

    name: str
    url: str
    headers: dict[str, str]
    model: str
    processes: list[psutil.Process]
    others: list[psutil.Process] = field(default_factory=list)


def main() -> None:
    wanted = set(sys.argv[1:]) or {"brokle", "litellm", "portkey", "tensorzero"}
    pipe, theirs = multiprocessing.Pipe()
    upstream = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    upstream.start()
    address = f"http://127.0.0.1:{pipe.recv()}/v1"
    results: dict[str, dict[str, Seen]] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            for subject in subjects(Path(folder), address, wanted):
                results[subject.name] = {
                    kind: median([measure(subject, Path(folder), is_stream=kind == "stream") for _ in range(ROUNDS)])
                    for kind in ("whole", "stream")
                    if warm(subject, Path(folder), is_stream=kind == "stream")
                }
    finally:
        upstream.terminate()
    show(results)


def subjects(folder: Path, address: str, wanted: set[str]) -> Iterator[Subject]:
    if "brokle" in wanted:
        with brokle(folder, address) as subject:
            yield subject
    for make in (rivals.litellm, rivals.portkey, rivals.tensorzero):
        if make.__name__ in wanted:
            with rival(make(folder, address)) as subject:
                yield subject


@contextmanager
def brokle(folder: Path, address: str) -> Iterator[Subject]:
    price = "input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60"
    (folder / "brokle.yaml").write_text(
        "providers:\n"
        f"  - {{name: up, kind: openai-compatible, base_url: '{address}', api_key: sk-x, "
        f"models: [{{id: fast, {price}}}]}}\n"
    )
    settings = {"BROKLE_CONFIG": str(folder / "brokle.yaml"), "BROKLE_EGRESS_ALLOW": "127.0.0.1"}
    with house(folder / "brokle", workers=2, **settings) as home:
        key = limited_key(home)
        supervisor = psutil.Process(home.process.pid)
        family = supervisor.children(recursive=True)
        answering = [one for one in family if "web worker" in " ".join(one.cmdline()) or "redis" in one.name()]
        pages = subprocess.Popen([sys.executable, "-c", _VISIT, home.url, str(_PAGES)])
        try:
            yield Subject(
                "Brokle",
                f"{home.url}/v1/chat/completions",
                {"Authorization": f"Bearer {key}"},
                "up/fast",
                answering,
                [one for one in family if one not in answering],
            )
        finally:
            pages.terminate()


_VISIT = """
import sys, time, urllib.request
while True:
    began = time.monotonic()
    try:
        urllib.request.urlopen(sys.argv[1] + "/auth/login", timeout=10).read()
    except OSError:
        pass
    time.sleep(max(0, 1 / int(sys.argv[2]) - (time.monotonic() - began)))
"""


def limited_key(home: House) -> str:
    """A key as customers have it: with a rate and a budget that this run does not reach."""
    admin = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
    asked = {"name": "bench", "scopes": ["gateway"], "requests_per_minute": 10_000_000}
    made = home.request("POST", "/api/v1/keys", json.dumps(asked).encode(), admin)
    assert made.status == 201, made.body
    key = made.json()["value"]
    for _ in range(20):
        home.wait_for(lambda: home.get("/v1/models", authorization=f"Bearer {key}").status == 200)
    return key


@contextmanager
def rival(one: rivals.Rival) -> Iterator[Subject]:
    process = one.start()
    try:
        url = one.url or said_url(one)
        subject = Subject(one.name, url, one.headers, one.model, [])
        wait_for(subject)
        root = psutil.Process(process.pid)
        subject.processes = [root, *root.children(recursive=True)]
        yield subject
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait(30)


def said_url(one: rivals.Rival) -> str:
    for _ in range(600):
        text = (one.folder / f"{one.name}.log").read_text(errors="replace")
        found = re.search(r"https?://[\d.:a-z]+", text)
        if found:
            return found.group(0).rstrip("/") + "/openai/v1/chat/completions"
        time.sleep(0.1)
    sys.exit(f"{one.name} did not start")


def wait_for(subject: Subject) -> None:
    for _ in range(600):
        request = urllib.request.Request(subject.url, body_of(subject, is_stream=False), headers=headers_of(subject))
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                json.load(answer)
        except (OSError, ValueError):
            time.sleep(0.2)
        else:
            return
    sys.exit(f"{subject.name} does not answer")


def headers_of(subject: Subject) -> dict[str, str]:
    return {"content-type": "application/json", **subject.headers}


def body_of(subject: Subject, *, is_stream: bool) -> bytes:
    body = {"model": subject.model, "messages": [{"role": "user", "content": TEXT}], "stream": is_stream}
    return json.dumps(body, separators=(",", ":")).encode()


def warm(subject: Subject, folder: Path, *, is_stream: bool) -> bool:
    measure(subject, folder, is_stream=is_stream, seconds=3)
    return True


def measure(subject: Subject, folder: Path, *, is_stream: bool, seconds: int = SECONDS) -> Seen:
    script = folder / "post.lua"
    script.write_text(f"wrk.method = 'POST'\nwrk.body = [[{body_of(subject, is_stream=is_stream).decode()}]]")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(script)]
    for name, value in headers_of(subject).items():
        command += ["-H", f"{name}: {value}"]
    before = cpu_s(subject.processes), cpu_s(subject.others)
    out = subprocess.run([*command, subject.url], capture_output=True, text=True, check=True).stdout
    after = cpu_s(subject.processes), cpu_s(subject.others)
    if "Non-2xx" in out:
        sys.exit(f"{subject.name}:\n{out}")
    count = int(re.search(r"(\d+) requests in", out).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    spent = [(late - early) / count * 1000 for early, late in zip(before, after, strict=True)]
    return Seen(rate, _ms(out, "50%"), _ms(out, "99%"), *spent, count)


def _ms(out: str, line: str) -> float:
    number, unit = re.search(rf"{line}\s+([\d.]+)(us|ms|s)", out).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def cpu_s(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def median(rounds: list[Seen]) -> Seen:
    return Seen(*(statistics.median(values) for values in zip(*(vars(one).values() for one in rounds), strict=True)))


def show(results: dict[str, dict[str, Seen]]) -> None:
    console = Console(width=120)
    ours = results.get("Brokle", {})
    for kind, title in (("whole", "one JSON answer"), ("stream", "a stream of 52 chunks")):
        columns = ("requests/s", "ours is times", "p50 ms", "p99 ms", "CPU-ms/request", "+ shipper and engines")
        table = Table(f"{title}, {CONNECTIONS} connections", *columns)
        for name, found in results.items():
            seen = found[kind]
            ratio = f"{ours[kind].rate / seen.rate:.2f}" if kind in ours else "—"
            other = f"{seen.other_ms:.3f}" if seen.other_ms else "—"
            figures = (
                f"{seen.rate:,.0f}",
                ratio,
                f"{seen.p50_ms:.2f}",
                f"{seen.p99_ms:.2f}",
                f"{seen.cpu_ms:.3f}",
                other,
            )
            table.add_row(name, *figures)
        console.print(table)


if __name__ == "__main__":
    main()
