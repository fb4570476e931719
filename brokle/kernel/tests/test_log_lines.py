import json
import logging
import sys

import pytest

from brokle.kernel import log

KEY = "bk_live_0123456789abcdefghij"
NASTY = "one\r\ntwo\x1b[31m\u2028three\u202efour\x00"


def record(message, *arguments, logger="brokle.test", error=None, **fields):
    info = (type(error), error, error.__traceback__) if error is not None else None
    made = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, arguments, info)
    vars(made).update(fields)
    return made


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize("formatter", [log.JsonFormatter(), log.ConsoleFormatter()])
def test_a_record_is_one_line_whatever_a_user_sends(formatter):
    line = formatter.format(record("model %s", NASTY, user_agent=NASTY))

    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_a_json_line_keeps_what_was_sent_readable():
    line = json.loads(log.JsonFormatter().format(record("asked", user_agent=NASTY)))

    assert line["user_agent"] == NASTY
    assert (line["level"], line["logger"], line["message"]) == ("error", "brokle.test", "asked")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"key {KEY}", "key bk_live_0123…"),
        ("bk_bootstrap_key_of_anyone", "bk_…"),
        ("postgres://brokle:pa55word@db/brokle", "postgres://brokle:…@db/brokle"),
        ("Authorization: Bearer abcdef.123456", "Authorization: Bearer …"),
        ("sk-ant-api03-abcdefghijkl", "sk-ant-…"),
        ("sk-proj-abcdefghijkl", "sk-proj-…"),
        ("AIzaSyabcdefghijkl", "AIza…"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJ…"),
        ("nothing to hide in /v1/models", "nothing to hide in /v1/models"),
    ],
)
def test_the_last_net_masks_keys_and_passwords(text, masked):
    assert log.scrub(text) == masked


def test_the_net_reaches_into_fields():
    line = json.loads(log.JsonFormatter().format(record("tried", tried=[{"key": KEY}], error_object=ValueError(KEY))))

    assert line["tried"] == [{"key": "bk_live_0123…"}]
    assert KEY not in str(line)


@pytest.mark.parametrize("formatter", [log.JsonFormatter(), log.ConsoleFormatter()])
def test_an_errors_own_text_is_not_written(formatter):
    text = formatter.format(record("edge failure", error=raised(ValueError("my secret prompt"))))

    assert "secret prompt" not in text
    assert "ValueError" in text
    assert "raised" in text


def test_in_development_the_terminal_shows_the_error():
    formatter = log.ConsoleFormatter(shows_errors=True)

    assert "ValueError: what I did" in formatter.format(record("failed", error=raised(ValueError("what I did"))))


def test_a_librarys_message_loses_the_text_of_its_error_and_its_fields():
    error = raised(RuntimeError("a prompt"))
    made = record("Task failed: %s\nfuture: a prompt", error, logger="asyncio", error=error, request="a prompt")

    line = log.JsonFormatter().format(made)

    assert "a prompt" not in line
    assert json.loads(line)["message"] == "Task failed: RuntimeError"


def test_celery_tells_the_task_and_neither_arguments_nor_error():
    context = {"name": "routing.ask", "id": "t1", "description": "raised unexpected", "exc": "ValueError('a prompt')"}
    made = record("Task %(name)s[%(id)s] %(description)s: %(exc)s", logger="celery.app.trace")
    made.args, made.data = context, {"args": "a prompt"}

    line = json.loads(log.JsonFormatter().format(made))

    assert line["message"] == "task routing.ask raised unexpected"
    assert line["task_id"] == "t1"
    assert "a prompt" not in str(line)


def test_the_context_is_on_every_line_and_grows():
    token = log.context.set(log.Bound(request_id="req_1"))
    try:
        log.bind(organization_id="org_1", user_id="")
        line = json.loads(log.JsonFormatter().format(record("seen")))
    finally:
        log.context.reset(token)

    assert (line["request_id"], line["organization_id"]) == ("req_1", "org_1")
    assert "user_id" not in line


@pytest.fixture
def untouched(monkeypatch):
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    root.handlers[:] = kept
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_an_uncaught_error_is_a_log_line_too(untouched, capsys):
    log.configure("info", "json")
    error = raised(KeyError("a prompt"))

    sys.excepthook(KeyError, error, error.__traceback__)

    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["error"]) == ("process failed", "KeyError")
    assert "a prompt" not in str(line)
