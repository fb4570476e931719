"""`brokle login`, `logout` and `whoami`: a person's own token for commands, by way of the browser."""

import platform
import time
import webbrowser
from typing import Annotated, Any

import typer

from brokle.cli.local import JsonOption, UnableToRun, one_line_errors, print_json
from brokle.cli.remote import Server, find_server, forget, keep
from brokle.engines.fleet import running_instance
from brokle.engines.layout import Layout
from brokle.settings.env import env

_CLIENT_LONGEST = 120
UrlOption = Annotated[str, typer.Option("--url", help="The server; else BROKLE_URL, else the one running here.")]
BrowserOption = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page, or only print it.")]


def login(url: UrlOption = "", browser: BrowserOption = True, as_json: JsonOption = False) -> None:
    """Sign this command line in to a server, through the browser."""
    with one_line_errors(as_json):
        server = Server((url or env.text("BROKLE_URL") or _running_here()).rstrip("/"))
        client = f"brokle on {platform.node() or 'a terminal'}"[:_CLIENT_LONGEST]
        asked = server.call("POST", "/api/v1/auth/device", {"client": client})
        page = asked["verification_uri_complete"]
        typer.echo(f"Open {page}\nand compare the code: {asked['user_code']}", err=as_json)
        if browser:
            webbrowser.open(page)
        granted = _wait(server, asked)
        signed_in = Server(server.url, granted["access_token"])
        path = keep(signed_in, token_id=granted["token_id"])
        person = signed_in.call("GET", "/api/v1/auth/me")
        if as_json:
            print_json({"url": server.url, "email": person["email"], "file": str(path)})
            return
        typer.echo(f"Signed in to {server.url} as {person['email']}")


def logout(as_json: JsonOption = False) -> None:
    """Revoke the token of `brokle login` and forget it."""
    with one_line_errors(as_json):
        kept = forget()
        if kept is None:
            raise UnableToRun("nobody is signed in here; brokle login signs in")
        server, token_id = kept
        is_revoked = bool(token_id) and server.ask("DELETE", f"/api/v1/tokens/{token_id}").status in {204, 401, 404}
        if as_json:
            print_json({"url": server.url, "revoked": is_revoked})
            return
        typer.echo(f"Signed out of {server.url}")


def whoami(as_json: JsonOption = False) -> None:
    """Say which server commands work against, and as whom."""
    with one_line_errors(as_json):
        server = find_server()
        if server is None:
            raise UnableToRun("commands work on this machine's data dir; brokle login signs in to a server")
        organizations = server.call("GET", "/api/v1/organizations")["data"]
        person = server.ask("GET", "/api/v1/auth/me")
        who = person.body["email"] if person.status == 200 else "an API key"
        if as_json:
            print_json({"url": server.url, "who": who, "organizations": [one["slug"] for one in organizations]})
            return
        typer.echo(f"{who} at {server.url}: {', '.join(one['slug'] for one in organizations) or 'no organization'}")


def _running_here() -> str:
    run = running_instance(Layout.at(env.text("BROKLE_DATA_DIR")))
    if run is None or "address" not in run:
        raise UnableToRun("which server? brokle login --url https://brokle.example")
    return str(run["address"])


def _wait(server: Server, asked: dict[str, Any]) -> dict[str, Any]:
    ends_at = time.monotonic() + asked["expires_in"]
    pause_s = asked["interval"]
    while time.monotonic() < ends_at:
        time.sleep(pause_s)
        answer = server.ask("POST", "/api/v1/auth/device/token", {"device_code": asked["device_code"]})
        if answer.status == 200:
            granted: dict[str, Any] = answer.body
            return granted
        error = answer.body.get("error") if isinstance(answer.body, dict) else None
        if error == "slow_down" or answer.status == 429:
            pause_s += asked["interval"]
        elif error != "authorization_pending":
            told = answer.body.get("error_description") if error else f"the server answered {answer.status}"
            raise UnableToRun(f"not signed in: {told}")
    raise UnableToRun("nobody approved it in time; begin again: brokle login")
