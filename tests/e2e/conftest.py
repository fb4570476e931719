import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import brokle
from brokle.web.build_assets import build

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START_SECONDS = 180
expect.set_options(timeout=60_000)


@dataclass
class Console:
    """The control plane alone, in development mode: pages with sample data, no engine behind them."""

    url: str
    browser: Browser

    def page(
        self, path: str, *, language: str = "en", theme: str = "light", width: int = 1440, height: int = 900
    ) -> Page:
        context = self.browser.new_context(viewport={"width": width, "height": height})
        context.add_cookies(
            [
                {"name": "brokle_language", "value": language, "url": self.url},
                {"name": "brokle_theme", "value": theme, "url": self.url},
            ]
        )
        page = context.new_page()
        page.goto(self.url + path)
        page.evaluate("document.fonts.ready")
        return page


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    build()
    data = tmp_path_factory.mktemp("console")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "BROKLE_DEV": "1",
        "BROKLE_SECRET_KEY": "a secret of the e2e suite",
        "BROKLE_DATA_DIR": str(data),
        "DJANGO_SETTINGS_MODULE": "brokle.settings.dev",
    }
    command = [sys.executable, "-m", "brokle.edge.server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--application", "tests.e2e.console:application"]
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=brokle.HOUSE, env=environment, stdout=log, stderr=log)
        try:
            _await_port(port, process, data / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=60)


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"the console did not start:\n{log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="module")
def console(server):
    # A module's own: Playwright's loop must be gone before an asynchronous test of another module runs.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Console(server, browser)
        browser.close()
