import uuid

import pytest

from brokle.engines import clickhouse_url
from brokle.engines.tests.clickhouse_process import EmbeddedClickHouse
from brokle.settings.env import env


@pytest.fixture(scope="session")
def embedded_clickhouse(tmp_path_factory):
    home = tmp_path_factory.mktemp("clickhouse with space")
    server = EmbeddedClickHouse(home).start("--memory-limit-mb", "768")
    yield server
    code, written = server.stop()
    assert (code, written) == (0, "")


@pytest.fixture(scope="session")
def clickhouse_server_url(request):
    """A server's address when CLICKHOUSE_URL names one, else the embedded engine's: the same tests judge both."""
    return env.text("CLICKHOUSE_URL") or request.getfixturevalue("embedded_clickhouse").url


@pytest.fixture
def clickhouse_address(clickhouse_server_url):
    """An address whose database is the test's own."""
    where = clickhouse_url.parse(clickhouse_server_url)
    database = f"test_{uuid.uuid4().hex[:12]}"
    client = clickhouse_url.connect(clickhouse_server_url)
    client.command(f"CREATE DATABASE {database}")
    yield f"{where.scheme}://{where.user}:{where.password}@{where.host}:{where.port}/{database}"
    client.command(f"DROP DATABASE {database} SYNC")
    client.close()


@pytest.fixture
def clickhouse(clickhouse_address):
    client = clickhouse_url.connect(clickhouse_address)
    yield client
    client.close()
