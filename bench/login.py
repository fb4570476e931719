"""Sign-in by password, argon2 included: one at a time, and ten at once: `python -m bench.login [rounds]`."""

import http.client
import itertools
import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from brokle.web.passwords import Argon2
from tests.house import ADMIN, House, house

_AT_ONCE = 10
_numbers = itertools.count()


def caller() -> dict[str, str]:
    """Another machine each time: the limits of one address are not what is measured."""
    number = next(_numbers)
    return {"X-Forwarded-For": f"198.51.{number // 250 % 250}.{number % 250 + 1}"}


def send(home: House, path: str, expected: str, **fields: str) -> float:
    page = home.get(path, **caller())
    token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
    cookie = page.headers["set-cookie"].split(";")[0]
    assert token is not None
    body = urlencode({"csrfmiddlewaretoken": token[1].decode(), **fields})
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", **caller()}
    connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=30)
    connection.connect()
    began = time.perf_counter()
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    response.read()
    took = time.perf_counter() - began
    connection.close()
    assert (response.status, response.getheader("location")) == (302, expected), response.status
    return took


def sign_up(home: House, email: str) -> None:
    send(home, "/auth/signup", "/dashboard", name="Somebody", email=email, password1=ADMIN[1])


def sign_in(home: House, email: str) -> float:
    return send(home, "/auth/login", "/dashboard", email=email, password=ADMIN[1])


def together(home: House, people: list[str], rounds: int) -> list[float]:
    with ThreadPoolExecutor(len(people)) as pool:
        return [took for _ in range(rounds) for took in pool.map(sign_in, [home] * len(people), people)]


def hashing() -> float:
    hasher = Argon2()
    encoded = hasher.encode(ADMIN[1], "a-salt-of-16-chars")
    began = time.perf_counter()
    for _ in range(10):
        hasher.verify(ADMIN[1], encoded)
    return (time.perf_counter() - began) / 10


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    owner = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1], "BROKLE_TRUSTED_PROXIES": "127.0.0.0/8"}
    with tempfile.TemporaryDirectory() as folder, house(Path(folder) / "data", workers=2, **owner) as home:
        people = [f"person{number}@noor.example" for number in range(_AT_ONCE)]
        for email in people:
            sign_up(home, email)
        together(home, people, 1)
        alone = [sign_in(home, email) for _ in range(rounds) for email in people]
        at_once = together(home, people, rounds)
    table = Table("sign-in", "number", "p50 ms", "p95 ms", "worst ms", "figure")
    for name, found, limit in (("one at a time", alone, 250), ("ten at once", at_once, 1200)):
        cuts = statistics.quantiles(found, n=100)
        figures = [f"{value * 1000:.0f}" for value in (cuts[49], cuts[94], max(found))]
        table.add_row(name, str(len(found)), *figures, f"p95 at most {limit} ms")
    console = Console()
    console.print(table)
    console.print(f"one hash alone: {hashing() * 1000:.0f} ms")


if __name__ == "__main__":
    main()
