"""`brokle keys` against a server, over the management API."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from brokle.cli.local import UnableToRun
from brokle.cli.remote import Server


def make(server: Server, where: tuple[str, str, str], asked: Mapping[str, Any]) -> dict[str, Any]:
    created: dict[str, Any] = server.call("POST", f"/api/v1/keys{_at(server, where)}", asked)
    return created


def listed(server: Server, where: tuple[str, str, str]) -> list[dict[str, Any]]:
    at, rows, cursor = _at(server, where), [], ""
    while True:
        more = f"{'&' if at else '?'}{urlencode({'cursor': cursor})}" if cursor else ""
        page = server.call("GET", f"/api/v1/keys{at}{more}")
        rows += page["data"]
        cursor = page["next_cursor"]
        if not cursor:
            return rows


def revoke(server: Server, where: tuple[str, str, str], key_id: str) -> dict[str, Any]:
    at = _at(server, where)
    found: dict[str, Any] = server.call("GET", f"/api/v1/keys/{key_id}{at}")
    server.call("DELETE", f"/api/v1/keys/{key_id}{at}")
    return found


def _at(server: Server, where: tuple[str, str, str]) -> str:
    """The query that names the environment; a key stands in its own and needs none."""
    if server.token.startswith("bk_") and not server.token.startswith("bk_pat_"):
        return ""
    organization, project, environment = where
    found = server.find("/api/v1/organizations", slug=organization)
    if found is not None:
        found = server.find(f"/api/v1/organizations/{found['id']}/projects", slug=project)
    if found is not None:
        found = server.find(f"/api/v1/projects/{found['id']}/environments", slug=environment)
    if found is None:
        place = "/".join(where)
        raise UnableToRun(f"there is no environment {place}; name one with --organization, --project, --environment")
    return f"?{urlencode({'environment': found['id']})}"
