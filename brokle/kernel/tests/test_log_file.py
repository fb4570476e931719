import json
import logging
import os
import subprocess
import sys
import time

import pytest

from brokle.kernel import log
from brokle.kernel.log_file import LogFile, Rotation

_WRITER = """
import logging, sys
from brokle.kernel import log
log.configure("info", "json", file=sys.argv[1])
for number in range(int(sys.argv[3])):
    logging.getLogger("brokle.test").info("x" * 200, extra={"who": sys.argv[2], "number": number})
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs" / "brokle.log"


@pytest.fixture
def folder(path):
    path.parent.mkdir()
    return path.parent


@pytest.fixture
def start(path, monkeypatch):
    """Sets logging up as a process does; afterwards all is as it was."""
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def configure(form="json"):
        log.configure("info", form, file=str(path))
        return logging.getLogger("brokle.test")

    yield configure
    for handler in root.handlers:
        if isinstance(handler, LogFile):
            handler.close()
    root.handlers[:] = kept
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines_of(*paths):
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def messages(path):
    return [line["message"] for line in lines_of(path)]


def test_several_processes_write_whole_lines_and_rotation_keeps_every_one(path, folder):
    names, count = ["web", "worker", "shipper"], 2000
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, path, name, str(count)], stderr=subprocess.DEVNULL)
        for name in names
    ]
    rotation, rotated = Rotation(path, bytes_max=50_000, kept=1000), 0
    while any(writer.poll() is None for writer in writers):
        rotated += rotation.step()
        time.sleep(0.005)

    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert rotated >= 3
    found = lines_of(*folder.iterdir())
    assert sorted((line["who"], line["number"]) for line in found) == [
        (name, number) for name in sorted(names) for number in range(count)
    ]


def test_the_file_holds_what_standard_error_holds_and_is_private(folder, path, start, capsys):
    ours = start()
    ours.info("one", extra={"stage": 1})
    ours.error("two")

    assert capsys.readouterr().err == path.read_text()
    assert messages(path) == ["one", "two"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_is_json_whatever_a_terminal_shows(folder, path, start):
    start("console").info("seen")

    assert messages(path) == ["seen"]


def test_a_file_that_was_taken_away_is_made_again(folder, path, start):
    ours = start()
    ours.info("one")
    path.unlink()
    ours.info("two")

    assert messages(path) == ["two"]


def test_without_its_folder_it_warns_once_and_writes_when_the_folder_is_there(path, start, capsys):
    ours = start()
    ours.info("one")
    ours.info("two")
    path.parent.mkdir()
    ours.info("three")

    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in told] == ["one", "lines are missing from the log file", "two", "three"]
    assert (told[1]["log_file"], told[1]["reason"]) == (str(path), "No such file or directory")
    assert messages(path) == ["three"]


@pytest.mark.parametrize("path", ["/dev/full"])
def test_a_full_disk_costs_one_warning(path, start, capsys):
    ours = start()
    for number in range(3):
        ours.info("line", extra={"number": number})

    told = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert told == ["line", "lines are missing from the log file", "line", "line"]


def test_a_pipe_that_nobody_reads_holds_up_nobody(folder, path, start, capsys):
    ours = start()
    os.mkfifo(path)
    ours.info("one")

    assert "lines are missing from the log file" in capsys.readouterr().err


_FULL_IN_THE_MIDDLE = """
import logging, resource, sys
from brokle.kernel import log
log.configure("info", "json", file=sys.argv[1])
test = logging.getLogger("brokle.test")
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
for _ in range(5):
    test.info("x" * 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
test.info("there is room again")
"""


def test_after_a_line_that_was_cut_the_next_begins_anew(path, folder):
    done = subprocess.run([sys.executable, "-c", _FULL_IN_THE_MIDDLE, path], check=True, capture_output=True, text=True)

    whole, cut, *rest = path.read_text().splitlines()
    assert json.loads(whole)["message"] == "x" * 100
    assert whole.startswith(cut[:20])
    assert [json.loads(line)["message"] for line in rest] == ["there is room again"]
    assert done.stderr.count("lines are missing from the log file") == 1


def test_what_is_older_than_the_last_kept_goes(folder, path):
    rotation = Rotation(path, bytes_max=10, kept=3)
    for number in range(6):
        path.write_text(f"line number {number}\n")
        assert rotation.step()
    path.write_text("short")

    assert not rotation.step()
    assert {file.name: file.read_text().strip() for file in folder.iterdir()} == {
        "brokle.log": "short",
        "brokle.log.1": "line number 5",
        "brokle.log.2": "line number 4",
        "brokle.log.3": "line number 3",
    }


def test_what_is_no_file_of_ours_is_not_put_aside(folder, path):
    elsewhere = folder / "elsewhere"
    elsewhere.write_text("x" * 100)
    path.symlink_to(elsewhere)

    assert not Rotation(path, bytes_max=10).step()
    assert not Rotation(folder / "missing", bytes_max=10).step()
    assert not Rotation(folder, bytes_max=0).step()
    assert sorted(file.name for file in folder.iterdir()) == ["brokle.log", "elsewhere"]


def test_a_file_that_cannot_be_put_aside_is_emptied(folder, path, caplog):
    path.write_text("x" * 100)
    (folder / "brokle.log.1" / "in the way").mkdir(parents=True)
    rotation = Rotation(path, bytes_max=10, kept=1)

    assert (rotation.step(), path.read_text()) == (False, "")
    path.write_text("x" * 100)
    assert (rotation.step(), path.read_text()) == (False, "")
    assert [record.getMessage() for record in caplog.records] == ["the log file cannot be put aside"]


def test_a_closed_handler_lets_go_of_the_file(folder, path):
    handler = LogFile(str(path))
    handler.setFormatter(log.JsonFormatter())
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count
    handler.emit(logging.LogRecord("brokle.test", logging.INFO, "", 1, "one", (), None))
    handler.close()

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - a count
    assert messages(path) == ["one"]
