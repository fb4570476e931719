"""Error reports when `SENTRY_DSN` is set: what failed and where, nothing of what anybody sent.

Events are not cleaned but built anew from the few parts that are ours, so that what the SDK learns to collect
tomorrow does not leave either. Only logged errors become events; requests and tasks are not looked at.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import brokle
from brokle.kernel import log as logs
from brokle.settings.env import Environment

_KEPT = ("event_id", "timestamp", "level", "platform", "logger", "release", "environment", "server_name", "sdk")
_FRAME = (
    "filename",
    "abs_path",
    "function",
    "module",
    "lineno",
    "pre_context",
    "context_line",
    "post_context",
    "in_app",
)
_TAGS = ("request_id", "trace_id", "organization_id", "user_id", "task_id")
_CONTEXTS = ("runtime", "os")


def start_error_reports(environment: Environment, role: str) -> bool:
    dsn = environment.text("SENTRY_DSN")
    if not dsn:
        return False
    import sentry_sdk
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration

    def before_send(event: Any, hint: dict[str, Any]) -> Any:
        return cleaned(event, hint, role)

    with _without_django():
        import sentry_sdk.spotlight  # a development aid that init loads, and Django with it

    sentry_sdk.init(
        dsn=dsn,
        spotlight=False,
        release=f"brokle@{brokle.__version__}",
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR), DedupeIntegration()],
        include_local_variables=False,
        send_default_pii=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=before_send,
        shutdown_timeout=2,
    )
    return True


@contextmanager
def _without_django() -> Iterator[None]:
    """An optional import of Django fails as if it were not installed: the data plane does not load it."""
    if "django" in sys.modules:
        yield
        return
    sys.modules["django"] = None  # type: ignore[assignment] # Python's own way to refuse an import
    try:
        yield
    finally:
        del sys.modules["django"]


def stop_error_reports() -> None:
    import sentry_sdk

    sentry_sdk.flush(timeout=2)


def cleaned(event: dict[str, Any], hint: dict[str, Any], role: str) -> dict[str, Any]:
    record = hint.get("log_record")
    kept = {name: event[name] for name in _KEPT if name in event}
    fields = logs.fields_of(record) if record is not None else {}
    kept["tags"] = {"role": role, **{name: str(fields[name]) for name in _TAGS if fields.get(name)}}
    kept["contexts"] = {name: event["contexts"][name] for name in _CONTEXTS if name in event.get("contexts", {})}
    if record is not None:
        kept["logentry"] = {"message": logs.message_of(record)}
    if "exception" in event:
        kept["exception"] = {"values": [_failure(value) for value in event["exception"].get("values", [])]}
    return kept


def _failure(value: dict[str, Any]) -> dict[str, Any]:
    """Its class and places. Its text may quote a prompt, so it stays here."""
    frames = (value.get("stacktrace") or {}).get("frames", [])
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "stacktrace": {"frames": [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]},
    }
