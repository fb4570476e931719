"""What every process writes is in one file, bounded, and the file can be as broken as it likes."""

import json
import os

import pytest

from tests.house import House, house

pytestmark = [pytest.mark.engines]

MEGABYTE = 1024 * 1024


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def warnings(home):
    return [line for line in lines(home.log) if line["message"] == "lines are missing from the log file"]


def test_supervisor_and_children_write_into_the_file_of_the_data_dir(tmp_path):
    with house(tmp_path / "data", BROKLE_ACCESS_LOG="1") as home:
        file = home.data_dir / "logs" / "brokle.log"
        assert home.chat().status == 200
        (home.data_dir / "spool" / "money-00000000000000000001-1-1.seg").write_bytes(b"no record at all")
        home.wait_for(lambda: "brokle.edge.shipper" in {line["logger"] for line in lines(file)})
        code = home.stop()

    loggers = {line["logger"] for line in lines(file)}
    assert code == 0
    assert loggers >= {"brokle.serve", "brokle.prepare", "brokle.edge", "brokle.edge.shipper"}
    assert lines(file)[-1]["message"] == "stopped"
    assert sorted(file.read_text().splitlines()) == sorted(home.log.read_text().splitlines())
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_grown_too_large_is_put_aside_and_what_follows_is_in_a_new_one(tmp_path):
    file = tmp_path / "data" / "logs" / "brokle.log"
    file.parent.mkdir(parents=True)
    file.write_text("of the last run\n")
    os.truncate(file, 64 * MEGABYTE)
    with house(tmp_path / "data", BROKLE_ACCESS_LOG="1") as home:
        home.wait_for(lambda: file.with_name("brokle.log.1").exists())
        assert home.chat().status == 200
        home.wait_for(lambda: file.exists() and any(line["logger"] == "brokle.edge" for line in lines(file)))
        home.stop()

    old = file.with_name("brokle.log.1").read_bytes()
    assert old.startswith(b"of the last run\n")
    written = sorted(line for line in old[64 * MEGABYTE :].decode().splitlines() if line)
    assert sorted([*written, *file.read_text().splitlines()]) == sorted(home.log.read_text().splitlines())


@pytest.mark.parametrize("place", ["missing/brokle.log", "/dev/full"])
def test_a_file_that_cannot_be_written_stops_nothing_and_is_told_once_a_process(tmp_path, place):
    with house(tmp_path / "data", BROKLE_LOG_FILE=place) as home:
        assert home.chat().status == 200
        assert {p["restarts"] for p in home.processes().values()} == {0}
        code = home.stop()

    assert code == 0
    told = warnings(home)
    assert {line["log_file"] for line in told} == {str(home.data_dir / place)}
    assert 1 <= len(told) <= 6


def test_switched_off_there_is_no_file(tmp_path):
    home = House(tmp_path / "data", BROKLE_LOG_FILE="")
    try:
        assert home.start().chat().status == 200
    finally:
        code = home.stop()

    assert code == 0
    assert {path.name for path in (home.data_dir / "logs").iterdir()} == {"clickhouse.log", "postgres.log", "redis.log"}
    assert warnings(home) == []
