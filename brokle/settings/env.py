"""The only reader of the process environment. Every setting is declared here once, with its meaning."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["text", "flag", "integer", "list"]


class UnableToReadSetting(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    kind: Kind
    default: str
    meaning: str
    group: str
    secret: bool = False


_CATALOGUE: dict[str, Setting] = {}


def _declare(group: str, kind: Kind, name: str, default: str, meaning: str, *, secret: bool = False) -> None:
    _CATALOGUE[name] = Setting(name, kind, default, meaning, group, secret)


_START = "Start"
_declare(
    _START,
    "text",
    "BROKLE_DATA_DIR",
    "./var",
    "Where embedded engines, spool, uploads and generated secrets live.",
)
_declare(
    _START,
    "text",
    "BROKLE_SECRET_KEY",
    "",
    "Root of every derived key; generated once into the data dir when empty.",
    secret=True,
)
_declare(
    _START,
    "list",
    "BROKLE_SECRET_KEY_FALLBACKS",
    "",
    "Former secret keys, still accepted while rotating; comma separated.",
    secret=True,
)
_declare(_START, "text", "BROKLE_HOST", "127.0.0.1", "Address to listen on.")
_declare(_START, "integer", "BROKLE_PORT", "8080", "Port to listen on.")
_declare(_START, "integer", "BROKLE_WORKERS", "0", "Web processes; 0 means one per core, at most 4.")
_declare(
    _START,
    "integer",
    "BROKLE_WEB_THREADS",
    "12",
    "Pages and API calls a web process answers at once; each may hold a connection to PostgreSQL.",
)
_declare(
    _START,
    "text",
    "BROKLE_ROLE",
    "web",
    "What a process is: web (edge and console), edge, worker or executor; set by `serve`.",
)
_declare(
    _START,
    "flag",
    "BROKLE_DEV",
    "",
    "Development mode: reload, debug pages, component gallery, private egress.",
)
_declare(_START, "text", "BROKLE_LOG_LEVEL", "info", "debug, info, warning or error.")
_declare(
    _START,
    "text",
    "BROKLE_LOG_FORMAT",
    "",
    "json or console; empty chooses console on a terminal and json elsewhere.",
)
_declare(
    _START,
    "text",
    "BROKLE_LOG_FILE",
    "logs/brokle.log",
    "File for the JSON lines of all processes of `serve`, below the data dir unless absolute; empty or off for none.",
)
_declare(_START, "integer", "BROKLE_DRAIN_SECONDS", "110", "How long running requests may finish after SIGTERM.")
_declare(
    _START,
    "integer",
    "BROKLE_DRAIN_DELAY_SECONDS",
    "0",
    "How long readiness says 503 before the listener closes; give load balancers their interval.",
)

_FIRST = "First start"
_declare(_FIRST, "text", "BROKLE_ADMIN_EMAIL", "", "First owner's e-mail; with the password it skips onboarding.")
_declare(_FIRST, "text", "BROKLE_ADMIN_PASSWORD", "", "First owner's password.", secret=True)
_declare(
    _FIRST,
    "text",
    "BROKLE_BOOTSTRAP_KEY",
    "",
    "An API key of exactly this value, all scopes, in default/default/production.",
    secret=True,
)
_declare(
    _FIRST,
    "text",
    "BROKLE_PLAN_LIMITS",
    "",
    "What plans include, as free:members=5,projects=3;pro:members=50; what is not named is unlimited.",
)

_WEB = "Web"
_declare(
    _WEB,
    "text",
    "BROKLE_BASE_URL",
    "",
    "Public address of this installation, such as https://ai.example.com.",
)
_declare(
    _WEB,
    "list",
    "BROKLE_ALLOWED_HOSTS",
    "",
    "Host names answered, comma separated; empty means those of the base URL and loopback.",
)
_declare(
    _WEB,
    "list",
    "BROKLE_TRUSTED_PROXIES",
    "",
    "CIDRs whose X-Forwarded-* headers are believed; empty trusts none.",
)
_declare(_WEB, "integer", "BROKLE_LIVE_HEARTBEAT_SECONDS", "25", "How often `/ws` pings; three missed pings close it.")
_declare(_WEB, "text", "BROKLE_STATIC_URL", "/static/", "Where static files are fetched from, such as a CDN.")
_declare(_WEB, "text", "BROKLE_APPS_DOMAIN", "", "Domain under which hosted HTML may live.")
_declare(
    _WEB,
    "text",
    "BROKLE_METRICS_TOKEN",
    "",
    "Bearer token for /metrics and the details of /health; without one only loopback may read them.",
    secret=True,
)
_declare(
    _WEB,
    "text",
    "EMAIL_URL",
    "console://",
    "Outgoing mail: console:// or smtp(s)://user:password@host:port.",
    secret=True,
)

_ACCOUNTS = "Accounts"
_declare(
    _ACCOUNTS,
    "text",
    "BROKLE_SMTP_URL",
    "",
    "The mail relay: smtp://, smtps:// or smtp+starttls://user:password@host:port; goes before EMAIL_URL.",
    secret=True,
)
_declare(
    _ACCOUNTS,
    "text",
    "BROKLE_EMAIL_FROM",
    "Brokle <no-reply@localhost>",
    "Sender of every mail, such as AI <ai@acme.com>.",
)
_declare(_ACCOUNTS, "text", "BROKLE_SIGNUP", "open", "Who may sign up: open, invited or closed.")
_declare(
    _ACCOUNTS,
    "text",
    "BROKLE_EMAIL_VERIFICATION",
    "",
    "mandatory or optional; empty means mandatory as soon as a mail relay is set.",
)
_declare(
    _ACCOUNTS, "text", "BROKLE_GITHUB_CLIENT_ID", "", "OAuth app of GitHub; with its secret people sign in with GitHub."
)
_declare(_ACCOUNTS, "text", "BROKLE_GITHUB_CLIENT_SECRET", "", "Secret of that OAuth app.", secret=True)
_declare(
    _ACCOUNTS, "text", "BROKLE_GITHUB_URL", "", "Address of GitHub Enterprise Server; empty means https://github.com."
)
_declare(
    _ACCOUNTS,
    "text",
    "BROKLE_GOOGLE_CLIENT_ID",
    "",
    "OAuth client of Google; with its secret people sign in with Google.",
)
_declare(_ACCOUNTS, "text", "BROKLE_GOOGLE_CLIENT_SECRET", "", "Secret of that OAuth client.", secret=True)

_ENGINES = "Engines"
_declare(_ENGINES, "text", "DATABASE_URL", "", "PostgreSQL to use instead of the embedded one.", secret=True)
_declare(_ENGINES, "text", "DATABASE_REPLICA_URL", "", "PostgreSQL replica for heavy reads.", secret=True)
_declare(_ENGINES, "text", "REDIS_URL", "", "Redis to use instead of the embedded one.", secret=True)
_declare(_ENGINES, "text", "REDIS_CACHE_URL", "", "A Redis of its own for caches.", secret=True)
_declare(_ENGINES, "text", "CLICKHOUSE_URL", "", "ClickHouse to use instead of the embedded engine.", secret=True)

_DATA = "Data plane"
_declare(
    _DATA,
    "list",
    "BROKLE_EGRESS_ALLOW",
    "",
    "CIDRs and hosts that outbound calls may reach although private.",
)
_declare(_DATA, "integer", "BROKLE_SPOOL_MAX_MB", "1024", "Disk the spool may use; telemetry stops there with 429.")
_declare(_DATA, "integer", "BROKLE_SPOOL_RESERVE_MB", "128", "Disk kept for money records after telemetry stopped.")
_declare(
    _DATA,
    "text",
    "BROKLE_LIMITS_WITHOUT_REDIS",
    "budgets-closed",
    "What limits do without Redis: budgets-closed (rates let go, calls under a hard budget get 503), open or closed.",
)
_declare(_DATA, "text", "BROKLE_CONFIG", "", "YAML file of providers, routes, keys, limits and flags.")
_declare(
    _DATA,
    "text",
    "HOSTING_DRIVER",
    "auto",
    "Where hosted code runs: auto, docker, swarm, kubernetes or local.",
)

_WATCH = "Observability of Brokle itself"
_declare(_WATCH, "flag", "BROKLE_ACCESS_LOG", "", "One log line for every request answered.")
_declare(
    _WATCH,
    "integer",
    "BROKLE_SLOW_QUERY_MS",
    "200",
    "PostgreSQL statements slower than this are kept for /debug; 0 keeps none.",
)
_declare(_WATCH, "text", "SENTRY_DSN", "", "Error reports, scrubbed of secrets and prompt text.", secret=True)
_declare(_WATCH, "text", "OTEL_EXPORTER_OTLP_ENDPOINT", "", "Collector for Brokle's own traces, OTLP over HTTP.")
_declare(
    _WATCH,
    "text",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "",
    "Headers for that collector: name=value, comma separated.",
    secret=True,
)
_declare(_WATCH, "text", "OTEL_SERVICE_NAME", "brokle", "Service name in those traces.")

_COMMANDS = "Commands"
_declare(
    _COMMANDS, "text", "BROKLE_URL", "", "Server that commands call; else that of `brokle login`, else this machine."
)
_declare(_COMMANDS, "text", "BROKLE_API_KEY", "", "API key or token of commands that call a server.", secret=True)
_declare(_COMMANDS, "text", "BROKLE_CONFIG_DIR", "~/.config/brokle", "Where `brokle login` keeps its token.")

_LICENSE = "Enterprise"
_declare(_LICENSE, "text", "BROKLE_LICENSE", "", "License text; switches the enterprise edition on.", secret=True)
_declare(_LICENSE, "text", "BROKLE_LICENSE_FILE", "", "File that holds the license.")
_declare(
    _LICENSE,
    "list",
    "BROKLE_LICENSE_TEST_KEYS",
    "",
    "Public keys (kid:base64url) whose licenses count too; for development and tests, never in production.",
)

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


class Environment:
    """Settings as declared, from a mapping; `.env` in the working directory fills what it does not set."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def text(self, name: str) -> str:
        return self._values.get(name) or _CATALOGUE[name].default

    def text_or_off(self, name: str) -> str:
        """As `text`, but empty says off here, and so do the words for no; then it is empty."""
        value = self._values.get(name, _CATALOGUE[name].default).strip()
        return "" if value.lower() in _FALSE else value

    def flag(self, name: str) -> bool:
        value = self.text(name).strip().lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise UnableToReadSetting(f"{name} must be true or false, not {value!r}")

    def integer(self, name: str) -> int:
        value = self.text(name)
        try:
            return int(value)
        except ValueError:
            raise UnableToReadSetting(f"{name} must be a whole number, not {value!r}") from None

    def items(self, name: str) -> list[str]:
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def outside(self, name: str) -> str:
        """A variable that is none of ours, by a name that the operator's configuration file gives."""
        return self._values.get(name, "")

    def given(self, name: str) -> bool:
        return bool(self._values.get(name))

    def for_child(self, **changes: str) -> dict[str, str]:
        """The environment a child process gets: this one, with changes."""
        return {**self._values, **changes}


def catalogue() -> Iterator[Setting]:
    return iter(_CATALOGUE.values())


def parse_dotenv(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UnableToReadSetting(f".env line {number} is not NAME=value")
        values[name.strip()] = _unquote(value.strip())
    return values


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()


def _load() -> Environment:
    process = dict(os.environ)  # noqa: TID251 - this is the one reader
    dotenv = Path(".env")
    try:
        values = parse_dotenv(dotenv.read_text(encoding="utf-8")) if dotenv.is_file() else {}
    except OSError:
        values = {}
    return Environment({**values, **process})


def export_default(name: str, value: str) -> None:
    """For libraries that read the environment themselves."""
    os.environ.setdefault(name, value)  # noqa: TID251 - as above


env = _load()
