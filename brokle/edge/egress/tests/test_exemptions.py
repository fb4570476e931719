import ast
from pathlib import Path

from brokle.edge.egress.exemptions import EXEMPTIONS

ROOT = Path(__file__).resolve().parents[4]
HTTP_CLIENTS = {"requests", "httpx", "aiohttp", "urllib3", "urllib.request", "http.client"}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {client for client in HTTP_CLIENTS for name in names if name == client or name.startswith(f"{client}.")}


def test_no_other_http_client_stands_anywhere_without_an_exemption():
    found = {
        (path.relative_to(ROOT).as_posix(), client)
        for folder in ("brokle", "apps", "ee")
        for path in (ROOT / folder).rglob("*.py")
        if "tests" not in path.parts
        for client in imported(path)
    }
    unlisted = {
        (path, client)
        for path, client in found
        if not any(path.startswith(f"{one.folder}/") and client in one.clients for one in EXEMPTIONS)
    }
    assert unlisted == set()


def test_every_exemption_says_why():
    assert all(one.what and one.folder and one.clients and one.why.endswith(".") for one in EXEMPTIONS)
