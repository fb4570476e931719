"""How a process watches itself: logs, error reports, metrics and spans, switched on and off in one place."""

from pathlib import Path

from brokle.edge.otlp import SpanExporter, start_exporter
from brokle.kernel import log as logs
from brokle.kernel.metrics_files import Mirror
from brokle.settings.env import Environment
from brokle.settings.sentry import start_error_reports, stop_error_reports


def configure_logs(environment: Environment, *, file: str | None = None) -> None:
    logs.configure(
        environment.text("BROKLE_LOG_LEVEL"),
        environment.text("BROKLE_LOG_FORMAT"),
        shows_errors=environment.flag("BROKLE_DEV"),
        file=told_log_file(environment) if file is None else file,
    )


def told_log_file(environment: Environment) -> str:
    """Of a process of `serve`, which knows the data dir and tells the whole path; a process by itself writes none."""
    told = environment.text_or_off("BROKLE_LOG_FILE")
    return told if Path(told).is_absolute() else ""


def metrics_folder(environment: Environment) -> Path:
    return Path(environment.text("BROKLE_DATA_DIR")).resolve() / "metrics"


class Watch:
    """One per process. `start` in the process itself, after any fork: it makes threads."""

    def __init__(self, environment: Environment, role: str) -> None:
        self._environment = environment
        self._role = role
        self._exporter: SpanExporter | None = None
        self._reports = False
        self.mirror = Mirror(metrics_folder(environment), role)

    def start(self) -> None:
        configure_logs(self._environment)
        self._reports = start_error_reports(self._environment, self._role)
        self._exporter = start_exporter(self._environment, self._role)
        self.mirror.start()

    def stop(self) -> None:
        if self._exporter is not None:
            self._exporter.stop()
        self.mirror.stop()
        if self._reports:
            stop_error_reports()
