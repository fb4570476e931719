import json
import subprocess
import sys

import pytest

import brokle
from tests.house import House, house

pytestmark = [pytest.mark.engines]

_QUEUES = """
import json, socket
from brokle.celery import app
found = app.control.inspect(timeout=5).active_queues() or {}
print(json.dumps({node.split("@")[0]: sorted(q["name"] for q in queues) for node, queues in found.items()}))
"""


class Alone(House):
    """One role without a listener: ready when the supervisor reports it running."""

    def wait_healthy(self):
        self.wait_for(lambda: self.children().get(self.arguments[1]) == "running", 180)

    def children(self):
        return {c["name"]: c["state"] for c in self.run_file()["children"]} if self.run_path.exists() else {}

    @property
    def run_path(self):
        return self.data_dir / "run.json"

    def queues(self):
        done = subprocess.run(
            [sys.executable, "-c", _QUEUES],
            env={**self.environment, **self.run_file()["urls"]},
            cwd=brokle.HOUSE,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)


@pytest.mark.parametrize(("role", "queues"), [("worker", ["default", "high", "low"]), ("executor", ["executor"])])
def test_a_role_alone_takes_its_own_queues_and_no_others(tmp_path, role, queues):
    alone = Alone(tmp_path / "data", "--role", role).start()
    try:
        alone.wait_for(lambda: alone.queues() == {role: queues})
        assert set(alone.children()) == {"postgres", "redis", "clickhouse", role}
    finally:
        code = alone.stop()

    assert code == 0


def test_an_edge_by_itself_serves_the_keys_of_the_house_and_nothing_of_the_console(tmp_path):
    with house(tmp_path / "house") as home:
        urls = home.run_file()["urls"]
        secret = (home.data_dir / "secrets" / "secret_key").read_text()
        with house(tmp_path / "edge", "--role", "edge", BROKLE_SECRET_KEY=secret, **urls) as edge:
            assert edge.chat("at the edge").status == 200
            assert edge.get("/auth/login").status == 404
            assert [c["name"] for c in edge.run_file()["children"]] == ["web", "shipper"]
            edge_code = edge.stop()
        code = home.stop()

    assert (edge_code, code) == (0, 0)
