"""One line a record, JSON or for a terminal, the same from every process and library.

The rule is that secrets and what users wrote are not logged. The nets under it: our own messages are constant and
carry named fields; a library's message is cut to its first line and loses the text of its error; tracebacks name
places, not values; keys and passwords are masked wherever they appear.
"""

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol

from brokle.kernel.log_file import LogFile

Fields = Mapping[str, str]


class LogContext(Protocol):
    """What is being worked on; asked only when a line is written."""

    def log_fields(self) -> Fields: ...


class Bound:
    """A context whose fields become known one by one."""

    __slots__ = ("fields",)

    def __init__(self, **fields: str) -> None:
        self.fields = fields

    def log_fields(self) -> Fields:
        return self.fields


context: ContextVar[LogContext | None] = ContextVar("log_context", default=None)


def bind(**fields: str) -> None:
    """Adds what became known to the lines that follow; without a context it does nothing."""
    current = context.get()
    if isinstance(current, Bound):
        current.fields.update({name: value for name, value in fields.items() if value})


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = frozenset({"brokle", "apps", "ee", "__main__"})
_FOREIGN_MAX = 500
_MASKS = (
    (re.compile(r"\b(bk_(?:(?:live|test)_[A-Za-z0-9]{4})?)[A-Za-z0-9_\-]{12,}"), r"\1…"),
    (re.compile(r"(://[^:/@\s]*:)[^@\s/]+@"), r"\1…@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=\-]{8,}"), r"\1 …"),
    (re.compile(r"\b(sk-(?:ant-|proj-)?|gsk_|xai-|hf_|AIza|AKIA|whsec_|(?:sk|rk)_(?:live|test)_)[\w\-]{8,}"), r"\1…"),
    (re.compile(r"\beyJ[\w\-]{8,}\.[\w\-]+\.[\w\-]*"), "eyJ…"),
)
# What would start a new line, move the cursor or turn the reading direction.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def scrub(text: str) -> str:
    """The last net: API keys, provider keys, tokens and passwords in addresses."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def _scrub_value(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {str(name): _scrub_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrub_value(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else scrub(str(value))


def is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OURS


def message_of(record: logging.LogRecord) -> str:
    """Ours as written. A library's: one line, without the text of the error it tells of."""
    if is_ours(record):
        return scrub(record.getMessage())
    if record.name == "celery.app.trace" and isinstance(record.args, Mapping):
        return f"task {record.args.get('name')} {record.args.get('description', 'ended')}"
    lines = record.getMessage().strip().splitlines()
    text = lines[0] if lines else ""
    for error in _chain(record):
        for quoted in {str(error), repr(error)} - {""}:
            text = text.replace(quoted, type(error).__name__)
    return scrub(text[:_FOREIGN_MAX])


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Context first, then the record's own fields; a library's may hold anything and stay out."""
    current = context.get()
    fields: dict[str, Any] = dict(current.log_fields()) if current is not None else {}
    if is_ours(record):
        fields |= {n: value for n, value in vars(record).items() if n not in _STANDARD and not n.startswith("_")}
    elif record.name == "celery.app.trace" and isinstance(record.args, Mapping):
        fields["task_id"] = record.args.get("id")
    return {name: _scrub_value(value) for name, value in fields.items()}


def places_of(record: logging.LogRecord) -> str:
    """Where it failed, without the error's text: that may quote what a user sent."""
    frames = traceback.extract_tb(record.exc_info[2]) if record.exc_info else []
    return " > ".join(f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in frames[-8:])


def _chain(record: logging.LogRecord) -> list[BaseException]:
    error = record.exc_info[1] if record.exc_info else None
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


class JsonFormatter(logging.Formatter):
    """Writes a record once, however many handlers ask: that is most of what a line costs."""

    def format(self, record: logging.LogRecord) -> str:
        written: str | None = vars(record).get("_json")
        if written is None:
            written = vars(record)["_json"] = self._write(record)
        return written

    def _write(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
            **fields_of(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = places_of(record)
        return json.dumps(line, default=str, ensure_ascii=True)


class ConsoleFormatter(logging.Formatter):
    """For eyes. In development an error's own text is shown too; elsewhere it may be a user's."""

    def __init__(self, *, shows_errors: bool = False) -> None:
        super().__init__()
        self._shows_errors = shows_errors

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        more = " ".join(f"{name}={value}" for name, value in fields_of(record).items())
        text = _visible(f"{at} {record.levelname.lower():7} {message_of(record)} {more}".rstrip())
        if not record.exc_info or record.exc_info[0] is None:
            return text
        if self._shows_errors:
            return f"{text}\n{scrub(self.formatException(record.exc_info))}"
        frames = "".join(traceback.format_tb(record.exc_info[2]))
        return f"{text}\n{frames}{record.exc_info[0].__name__}"


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


_NOISY = ("asyncio", "urllib3", "clickhouse_connect", "amqp", "kombu", "celery", "sentry_sdk")
# Django calls a caller's mistake an error of ours; the line of the 400 that follows says it once, as a warning.
_CALLERS = tuple(
    f"django.security.{name}"
    for name in (
        "DisallowedHost",
        "DisallowedRedirect",
        "RequestDataTooBig",
        "SuspiciousMultipartForm",
        "TooManyFieldsSent",
    )
)


def formatter(form: str, *, shows_errors: bool = False) -> logging.Formatter:
    is_console = form == "console" or (form == "" and sys.stderr.isatty())
    return ConsoleFormatter(shows_errors=shows_errors) if is_console else JsonFormatter()


def configure(level: str, form: str, *, shows_errors: bool = False, file: str = "") -> None:
    """All loggers of the process, warnings and uncaught errors go to standard error and, as JSON, to the file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(form, shows_errors=shows_errors))
    root = logging.getLogger()
    for former in root.handlers:
        if isinstance(former, LogFile):
            former.close()
    root.handlers[:] = [handler]
    if file:
        root.addHandler(_to_file(file))
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    for caller in _CALLERS:
        logging.getLogger(caller).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _to_file(path: str) -> LogFile:
    handler = LogFile(path)
    handler.setFormatter(JsonFormatter())
    return handler


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("brokle").critical("process failed", exc_info=(kind, error, trace))


def _uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is None or issubclass(found.exc_type, SystemExit):
        return
    name = found.thread.name if found.thread is not None else ""
    logging.getLogger("brokle").error(
        "thread failed", exc_info=(found.exc_type, found.exc_value, found.exc_traceback), extra={"thread_name": name}
    )
