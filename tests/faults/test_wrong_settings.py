import json

import pytest

from tests.house import House, house

pytestmark = [pytest.mark.engines]


def test_a_typo_is_told_at_start_and_does_not_stop_it(tmp_path):
    with house(tmp_path / "data", BROKLE_ALOWED_HOSTS="a") as home:
        lines = [json.loads(line) for line in home.log.read_text().splitlines()]

    assert [line["message"] for line in lines if line["level"] == "warning" and "ALOWED" in line["message"]] == [
        "warning brokle.W003: BROKLE_ALOWED_HOSTS is no setting of Brokle; did you mean BROKLE_ALLOWED_HOSTS?"
    ]


def test_what_cannot_work_stops_the_start_with_one_line(tmp_path):
    home = House(tmp_path / "data", BROKLE_BASE_URL="https://ai.example.com", BROKLE_ALLOWED_HOSTS="other.example.com")

    done = home.run("serve", "--data-dir", str(home.data_dir), "--port", str(home.port))

    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if "brokle.E" in line]
    problem = "the base URL's host ai.example.com is not in BROKLE_ALLOWED_HOSTS: every page would answer 400"
    assert told == [f"brokle: error brokle.E002: {problem}; add it there"]
