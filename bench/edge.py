"""The edge with key check, limit and spool record, alone and relaying 600 bytes: `python bench/edge.py`. Needs wrk."""

import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
import redis

from bench.upstream import BODY, serve
from brokle.edge.principal import KeyRecord, digest, encode_key
from brokle.edge.snapshot import META, hash_name
from brokle.engines.fleet import free_port
from brokle.engines.layout import Layout
from brokle.engines.process import Child
from brokle.engines.redis_server import Redis
from brokle.kernel.secrets import derive

KEY = "bk_test_bench_0123456789abcdef"
SECRET = "bench"
SECONDS, ROUNDS, CONNECTIONS, WORKERS = 8, 3, 32, 2


def publish_key(url: str) -> None:
    client = redis.Redis.from_url(url)
    record = KeyRecord("key_1", "org_1", "prj_1", "env_1", ["gateway"], 0, 100_000_000)
    client.hset(hash_name("key"), digest(derive(SECRET, "pepper"), KEY.encode()), encode_key(record))
    client.hset(META, mapping={"epoch": "epo_1", "version": 1})


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1)
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit("the server did not start")


def cpu_seconds(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(t.user + t.system for t in (member.cpu_times() for member in family))


def wrk(url: str, script: str) -> tuple[float, float, float]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-H", f"Authorization: Bearer {KEY}"]
    out = subprocess.run([*command, "-s", script, url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        sys.exit(out)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return rate, _milliseconds(out, "50%"), _milliseconds(out, "99%")


def _milliseconds(out: str, line: str) -> float:
    number, unit = re.search(rf"{line}\s+([\d.]+)(us|ms|s)", out).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout.at(folder)
        layout.prepare()
        store = Redis(layout, dict(os.environ))
        store.prepare()
        redis_child = store.child()
        redis_child.start()
        store.wait_ready(redis_child)
        publish_key(store.url)
        port = free_port()
        pipe, theirs = multiprocessing.Pipe()
        upstream = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
        upstream.start()
        environment = {
            **os.environ,
            "BROKLE_SECRET_KEY": SECRET,
            "BROKLE_DATA_DIR": folder,
            "REDIS_URL": store.url,
            "BROKLE_SPOOL_MAX_MB": "100000",
            "BROKLE_EGRESS_ALLOW": "127.0.0.0/8",
            "BENCH_UPSTREAM": f"http://127.0.0.1:{pipe.recv()}/v1/chat/completions",
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }
        command = [sys.executable, "-m", "brokle.edge.server", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", str(WORKERS), "--application", "bench.edge_app:application"]
        server = Child("web", command, environment)
        server.start()
        try:
            wait_for(f"http://127.0.0.1:{port}/health/live")
            processes = psutil.Process(server.pid), psutil.Process(redis_child.pid)
            get, post = Path(folder, "get.lua"), Path(folder, "post.lua")
            get.write_text('wrk.method = "GET"')
            post.write_text(f"wrk.method = 'POST'\nwrk.body = [[{BODY.decode()}]]")
            measure("no-op", f"http://127.0.0.1:{port}/v1/noop", str(get), *processes)
            measure("relay of 600 bytes", f"http://127.0.0.1:{port}/v1/relay", str(post), *processes)
        finally:
            server.stop()
            upstream.terminate()
            redis_child.stop()


def measure(title: str, url: str, script: str, server: psutil.Process, store: psutil.Process) -> None:
    wrk(url, script)
    rows = []
    for _ in range(ROUNDS):
        before = cpu_seconds(server), cpu_seconds(store)
        rate, p50, p99 = wrk(url, script)
        after = cpu_seconds(server), cpu_seconds(store)
        count = rate * SECONDS
        rows.append((rate, p50, p99, (after[0] - before[0]) / count * 1000, (after[1] - before[1]) / count * 1000))
    print(f"edge {title}: key + limit + record, {WORKERS} workers, {CONNECTIONS} connections, median of {ROUNDS}")
    names = ("requests/s", "p50 ms", "p99 ms", "edge CPU-ms/request", "redis CPU-ms/request")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        print(f"  {name:22} {statistics.median(values):10.3f}")


if __name__ == "__main__":
    main()
