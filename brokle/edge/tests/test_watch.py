import pytest

from brokle.edge.watch import told_log_file
from brokle.settings.env import Environment


@pytest.mark.parametrize(
    ("told", "file"),
    [
        ({"BROKLE_LOG_FILE": "/data/logs/brokle.log"}, "/data/logs/brokle.log"),
        ({"BROKLE_LOG_FILE": "off"}, ""),
        ({"BROKLE_LOG_FILE": "Off "}, ""),
        ({"BROKLE_LOG_FILE": "0"}, ""),
        ({"BROKLE_LOG_FILE": ""}, ""),
        ({"BROKLE_LOG_FILE": "logs/brokle.log"}, ""),
        ({}, ""),
    ],
)
def test_a_process_writes_into_the_file_it_is_told_and_by_itself_into_none(told, file):
    assert told_log_file(Environment(told)) == file


def test_what_nobody_set_is_a_file_of_the_data_dir():
    assert Environment({}).text_or_off("BROKLE_LOG_FILE") == "logs/brokle.log"
