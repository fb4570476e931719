"""The server that commands work against: BROKLE_URL with BROKLE_API_KEY, else the one somebody signed in to."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from brokle.cli.local import UnableToRun
from brokle.settings.env import env

_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Server:
    """Its address, and the token or key that calls carry."""

    url: str
    token: str = ""

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: TID251 - the operator's own server

        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UnableToRun(f"{self.url!r} is no address; write it as https://brokle.example")
        connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = connect(parts.netloc, timeout=_TIMEOUT_S)
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "brokle-cli"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            sent = json.dumps(body) if body is not None else None
            connection.request(method, parts.path.rstrip("/") + path, sent, headers)
            response = connection.getresponse()
            return Answer(response.status, _content(response.read()))
        except (OSError, HTTPException) as error:
            raise UnableToRun(f"{self.url} does not answer ({error}); is it the right address?") from None
        finally:
            connection.close()

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The content of an answer that went well; a refusal in one line."""
        answer = self.ask(method, path, body)
        if answer.status < 400:
            return answer.body
        if answer.status == 401:
            raise UnableToRun(f"{self.url} does not accept the token or key; sign in again: brokle login")
        told = answer.body if isinstance(answer.body, dict) else {}
        raise UnableToRun(str(told.get("detail") or told.get("title") or f"the server answered {answer.status}"))

    def find(self, path: str, **filters: str) -> Any:
        """The first of a list, or None."""
        rows = self.call("GET", f"{path}?{urlencode(filters)}")["data"]
        return rows[0] if rows else None


def _content(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def find_server() -> Server | None:
    """None means this machine's own installation."""
    url = env.text("BROKLE_URL").rstrip("/")
    if url:
        kept = _kept()
        token = env.text("BROKLE_API_KEY") or (kept.get("token", "") if kept.get("url") == url else "")
        if not token:
            raise UnableToRun(f"there is no key for {url}; set BROKLE_API_KEY, or sign in: brokle login --url {url}")
        return Server(url, token)
    kept = _kept()
    return Server(kept["url"], kept["token"]) if kept else None


def _file() -> Path:
    return Path(env.text("BROKLE_CONFIG_DIR")).expanduser() / "credentials.json"


def _kept() -> dict[str, str]:
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and {"url", "token"} <= found.keys() else {}


def keep(server: Server, *, token_id: str) -> Path:
    """Readable by its owner alone from the first byte."""
    path = _file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unseen = path.with_suffix(".new")
    unseen.unlink(missing_ok=True)
    descriptor = os.open(unseen, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"url": server.url, "token": server.token, "token_id": token_id}, file)
    unseen.replace(path)
    return path


def forget() -> tuple[Server, str] | None:
    """What was kept, for it to be revoked."""
    kept = _kept()
    _file().unlink(missing_ok=True)
    return (Server(kept["url"], kept["token"]), kept.get("token_id", "")) if kept else None
