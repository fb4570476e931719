"""A small GitHub, whose exchange of tokens is Google's too: who comes is signed in at once, as the test says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT = ("client-of-brokle", "secret-of-brokle")


@dataclass
class GitHub:
    url: str = ""
    person: dict[str, object] = field(default_factory=lambda: {"id": 7, "login": "amal", "name": "Amal Haddad"})
    emails: list[dict[str, object]] = field(default_factory=list)
    is_broken: bool = False
    token: dict[str, str] = field(default_factory=lambda: {"access_token": "t0ken", "token_type": "bearer"})
    exchanges: list[dict[str, str]] = field(default_factory=list)

    def knows(self, email: str, *, verified: bool = True) -> None:
        self.emails = [{"email": email, "primary": True, "verified": verified}]

    def callback(self, start: str) -> str:
        """What the browser is sent back with after the person agreed at the address `start`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(start).query).items()}
        assert asked["client_id"] == CLIENT[0]
        assert asked["code_challenge_method"] == "S256"
        return f"{urlsplit(asked['redirect_uri']).path}?{urlencode({'code': 'c0de', 'state': asked['state']})}"


def _handler(github: GitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/login/oauth/authorize":
                back = parse_qs(urlsplit(self.path).query)
                self.send_response(302)
                pairs = urlencode({"code": "c0de", "state": back["state"][0]})
                self.send_header("location", f"{back['redirect_uri'][0]}?{pairs}")
                self.end_headers()
                return
            if self.headers["authorization"] != "token t0ken":
                self._answer(401, {})
            else:
                self._answer(200, {"/api/v3/user": github.person, "/api/v3/user/emails": github.emails}[path])

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["content-length"])).decode()
            sent = {name: values[0] for name, values in parse_qs(form).items()}
            github.exchanges.append(sent)
            is_right = (sent.get("client_id"), sent.get("client_secret")) == CLIENT and "code_verifier" in sent
            if github.is_broken or not is_right:
                self._answer(500, {"error": "broken"})
            else:
                self._answer(200, github.token)

        def _answer(self, status: int, body: object) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            return

    return Handler


@contextmanager
def github() -> Iterator[GitHub]:
    found = GitHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
