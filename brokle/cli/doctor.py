"""`brokle doctor`: one line for each thing that must be right, with the mend where it is not."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from brokle.cli.doctor_findings import Check
from brokle.cli.local import JsonOption, local_engines, one_line_errors, print_json
from brokle.engines.fleet import running_instance
from brokle.engines.layout import Layout
from brokle.settings.env import env

_SIGNS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[red]✗[/]"}


def doctor(
    smoke: Annotated[bool, typer.Option("--smoke", help="One call through the gateway, timed.")] = False,
    key: Annotated[str, typer.Option(help="API key for --smoke; else BROKLE_API_KEY.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Look at everything Brokle needs here and say what to mend."""
    with one_line_errors(as_json):
        checks: list[Check] = []
        for check in _all(smoke, key or env.text("BROKLE_API_KEY")):
            checks.append(check)
            if not as_json:
                mend = f" [dim]→ {check.mend}[/]" if check.mend and check.state != "ok" else ""
                Console(highlight=False, soft_wrap=True).print(
                    f"{_SIGNS[check.state]} {check.name:<16} {check.detail}{mend}"
                )
        is_bad = any(check.state == "bad" for check in checks)
        if as_json:
            print_json({"ok": not is_bad, "checks": [asdict(check) for check in checks]})
        if is_bad:
            raise typer.Exit(1)


def _all(smoke: bool, key: str) -> Iterator[Check]:
    from brokle.cli import doctor_engines, doctor_machine

    layout = Layout.at(env.text("BROKLE_DATA_DIR"))
    yield from doctor_machine.checks(layout)
    if layout.data_dir.exists():
        with local_engines() as (found, urls):
            yield from doctor_engines.checks(found, urls)
    if smoke:
        yield _smoke(layout, key)


def _smoke(layout: Layout, key: str) -> Check:
    """From outside, as a client would; to this machine only."""
    run = running_instance(layout)
    if run is None or "address" not in run:
        return Check("smoke", "bad", "Brokle does not run on this data dir", "start it: brokle serve")
    if not key:
        return Check(
            "smoke", "bad", "no key to call with", "--key bk_… or BROKLE_API_KEY; brokle keys create makes one"
        )
    body = json.dumps({"model": "echo/fast", "messages": [{"role": "user", "content": "are you well?"}]}).encode()
    began = time.perf_counter()
    try:
        status, content = _post(run["address"], "/v1/chat/completions", body, key)
    except OSError as error:
        return Check("smoke", "bad", f"no answer ({error})", "see the log of brokle serve")
    spent_ms = (time.perf_counter() - began) * 1000
    if status != 200:
        message = json.loads(content).get("error", {}).get("message", "")
        return Check("smoke", "bad", f"the gateway answered {status}: {message}", "use a key with the scope gateway")
    return Check("smoke", "ok", f"gateway answered in {spent_ms:.1f} ms")


def _post(address: str, path: str, body: bytes, key: str) -> tuple[int, bytes]:
    from http.client import HTTPConnection  # noqa: TID251 - our own address, from run.json: nothing a user gave
    from urllib.parse import urlsplit

    connection = HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
