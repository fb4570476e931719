"""A house under load is told to stop, and its engines go away meanwhile: each answer of an upstream has its row."""

import json
import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager

import psutil
import pytest

from brokle.engines.clickhouse_url import connect
from tests.fakes.model_provider import model_provider
from tests.house import BOOTSTRAP_KEY, House, house

pytestmark = [pytest.mark.engines]

_CALLERS = 8
_CONFIGURATION = """
providers:
  - {{name: mock, kind: openai-compatible, base_url: "{url}", api_key: k}}
"""


class Load:
    """Callers who ask again and again, whole answers and streams, until nobody answers any more."""

    def __init__(self, home: House) -> None:
        self._home = home
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(_CALLERS)]
        self.answered: list[str] = []
        self.refused: Counter[int] = Counter()
        self.cut = 0

    def _ask(self, number: int) -> None:
        is_stream = bool(number % 2)
        model = "mock/paced" if number % 4 == 1 else "mock/gpt-4o-mini"
        body = json.dumps(
            {"model": model, "stream": is_stream, "messages": [{"role": "user", "content": "hi"}]}
        ).encode()
        while not self._is_over.is_set():
            try:
                answer = self._home.request("POST", "/v1/chat/completions", body, _HEADERS)
            except ConnectionRefusedError:
                return
            except OSError:
                continue  # not taken any more; the next one is refused
            if answer.status != 200:
                self.refused[answer.status] += 1
            elif is_stream and not answer.body.endswith(b"[DONE]\n\n"):
                self.cut += 1
            else:
                self.answered.append(answer.headers["x-request-id"])

    @contextmanager
    def running(self):
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join(90)


_HEADERS = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}


@pytest.fixture(scope="module")
def provider():
    with model_provider() as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory, provider):
    folder = tmp_path_factory.mktemp("drain")
    file = folder / "brokle.yaml"
    file.write_text(_CONFIGURATION.format(url=provider.url))
    settings = {"BROKLE_CONFIG": str(file), "BROKLE_EGRESS_ALLOW": "127.0.0.1"}
    with house(folder / "data", workers=2, **settings) as started:
        yield started


def rows(home):
    with connect(home.run_file()["urls"]["CLICKHOUSE_URL"]) as database:
        result = database.query("SELECT request_id, status FROM request_logs FINAL WHERE provider = 'mock'")
        return dict(result.result_rows)


@contextmanager
def stopped(home, *names):
    """These processes and all below them stand still meanwhile."""
    found = [psutil.Process(home.processes()[name]["pid"]) for name in names]
    found += [child for process in found for child in process.children(recursive=True)]
    for process in found:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in found:
            os.kill(process.pid, signal.SIGCONT)


def check_rows(home, provider, load):
    """One for each call of the upstream, whichever test made it, and one for each answer that a caller has in hand."""
    home.wait_for(lambda: len(rows(home)) >= len(provider.calls))
    found = rows(home)
    assert len(found) == len(provider.calls)
    assert load.cut == 0
    assert set(load.answered) <= {name for name, status in found.items() if status == 200}


@pytest.mark.case(24, "raw")
@pytest.mark.parametrize("names", [("redis",), ("postgres",), ("clickhouse",)])
def test_whoever_was_answered_has_a_row_though_an_engine_stood_still(home, provider, names):
    load = Load(home)
    with load.running():
        home.wait_for(lambda: len(load.answered) > 50)
        with stopped(home, *names):
            before = len(load.answered)
            home.wait_for(lambda: len(load.answered) > before + 200)
        home.wait_for(lambda: len(load.answered) > before + 300)
    assert dict(load.refused) == {}
    check_rows(home, provider, load)


@pytest.mark.case(24, "raw")
def test_whoever_was_answered_has_a_row_though_the_house_was_told_to_stop(home, provider):
    load = Load(home)
    with load.running():
        home.wait_for(lambda: len(load.answered) > 100)
        assert home.stop() == 0
    home.start(workers=2)
    assert set(load.refused) <= {503}
    check_rows(home, provider, load)
