import pytest

from tests.house import house

pytestmark = [pytest.mark.docker, pytest.mark.engines]


def test_the_executor_joins_the_house_where_a_container_engine_answers(docker_host, tmp_path):
    with house(tmp_path / "data") as home:
        home.wait_for(lambda: home.processes().get("executor", {}).get("state") == "running")
        code = home.stop()

    assert code == 0
