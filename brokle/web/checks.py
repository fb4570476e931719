"""What is wrong with an installation, told to whoever runs it: one line each, with the mend.

Checks of settings look at nothing but the environment. Those of the surroundings (disk, clock, engines) carry
Django's database tag, so that only a command that means to ask the engines runs them.
"""

import difflib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import psutil
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register, run_checks  # noqa: A004 - Django's name

from brokle.edge.limits import WithoutRedis
from brokle.settings.env import Environment, catalogue, env

_MB = 1024 * 1024
_SECRET_MIN = 32
_SKEW_MAX_S = 2.0
_POSTGRES_MIN, _REDIS_MIN, _CLICKHOUSE_MIN = (16, 0), (6, 2), (24, 3)
# Read by the command line when it speaks to a server, not by the server.
_OF_THE_CLIENT = frozenset({"BROKLE_URL", "BROKLE_API_KEY"})
_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})

_MAIL_SCHEMES = frozenset({"console", "smtp", "smtps", "smtp+starttls"})
_CHOICES = {
    "BROKLE_SIGNUP": ("open", "invited", "closed"),
    "BROKLE_EMAIL_VERIFICATION": ("mandatory", "optional"),
    "BROKLE_LIMITS_WITHOUT_REDIS": tuple(choice.value for choice in WithoutRedis),
}

Check = Callable[[Environment], Iterator[CheckMessage]]


def _warning(number: int, text: str, mend: str) -> CheckMessage:
    return Warning(text, hint=mend, id=f"brokle.W{number:03}")


def _error(number: int, text: str, mend: str) -> CheckMessage:
    return Error(text, hint=mend, id=f"brokle.E{number:03}")


def is_loopback(host: str) -> bool:
    name = host.strip("[]").rstrip(".").lower()
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _is_public(environment: Environment) -> bool:
    host = urlsplit(environment.text("BROKLE_BASE_URL")).hostname
    return bool(host) and not is_loopback(str(host))


def check_base_url(environment: Environment) -> Iterator[CheckMessage]:
    base = environment.text("BROKLE_BASE_URL")
    if not base:
        if not is_loopback(environment.text("BROKLE_HOST")):
            yield _warning(
                1,
                "Brokle listens beyond this machine, but its public address is not known",
                "set BROKLE_BASE_URL, such as https://ai.example.com",
            )
        return
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield _error(1, f"BROKLE_BASE_URL is no address: {base!r}", "write it as https://ai.example.com")
    elif parts.scheme == "http" and _is_public(environment):
        yield _warning(
            2, "the public address is plain http: keys and sessions travel unencrypted", "put TLS in front; use https"
        )


def check_allowed_hosts(environment: Environment) -> Iterator[CheckMessage]:
    allowed = environment.items("BROKLE_ALLOWED_HOSTS")
    host = urlsplit(environment.text("BROKLE_BASE_URL")).hostname
    if not allowed:
        return
    if "*" in allowed:
        yield _warning(4, "BROKLE_ALLOWED_HOSTS answers every host name", "name the hosts that are yours")
    elif host and not any(_matches(pattern.lower(), host) for pattern in allowed):
        yield _error(
            2, f"the base URL's host {host} is not in BROKLE_ALLOWED_HOSTS: every page would answer 400", "add it there"
        )


def _matches(pattern: str, host: str) -> bool:
    """As Django compares them: `.example.com` stands for all below."""
    return host == pattern or (pattern.startswith(".") and (host == pattern[1:] or host.endswith(pattern)))


def check_trusted_proxies(environment: Environment) -> Iterator[CheckMessage]:
    for cidr in environment.items("BROKLE_TRUSTED_PROXIES"):
        try:
            network = ip_network(cidr, strict=False)
        except ValueError:
            yield _error(3, f"BROKLE_TRUSTED_PROXIES: {cidr!r} is not an address or CIDR", "write it as 10.0.0.0/8")
            continue
        if network.prefixlen == 0:
            yield _warning(
                5,
                f"BROKLE_TRUSTED_PROXIES trusts everybody ({cidr}): callers choose their own address",
                "name the proxy",
            )


def check_mail(environment: Environment) -> Iterator[CheckMessage]:
    name = "BROKLE_SMTP_URL" if environment.given("BROKLE_SMTP_URL") else "EMAIL_URL"
    scheme = urlsplit(environment.text(name)).scheme
    if scheme not in _MAIL_SCHEMES:
        yield _error(11, f"{name} is no address of a mail relay", "write it as smtp+starttls://user:password@host:587")
    elif _is_public(environment) and scheme == "console":
        yield _warning(6, "mail is printed, not sent: nobody can reset a password", "set BROKLE_SMTP_URL=smtps://…")
    elif scheme != "console" and not environment.given("BROKLE_EMAIL_FROM"):
        yield _warning(
            12, "mails have no sender of yours: relays refuse them", "set BROKLE_EMAIL_FROM=AI <ai@acme.com>"
        )
    if scheme == "console" and environment.text("BROKLE_EMAIL_VERIFICATION") == "mandatory":
        yield _warning(
            13, "addresses must be confirmed, but the mails stand in the log only", "set BROKLE_SMTP_URL=smtps://…"
        )


def check_choices(environment: Environment) -> Iterator[CheckMessage]:
    for name, known in _CHOICES.items():
        value = environment.text(name).strip().lower()
        if value and value not in known:
            yield _error(12, f"{name} is {value!r}", f"choose one of {', '.join(known)}")


def check_accounts(environment: Environment) -> Iterator[CheckMessage]:
    for name in ("GITHUB", "GOOGLE"):
        given = {part for part in ("ID", "SECRET") if environment.given(f"BROKLE_{name}_CLIENT_{part}")}
        if len(given) == 1:
            missing = ({"ID", "SECRET"} - given).pop()
            yield _warning(14, f"sign-in with {name.title()} is half set up", f"set BROKLE_{name}_CLIENT_{missing} too")


def check_secret(environment: Environment) -> Iterator[CheckMessage]:
    if 0 < len(environment.text("BROKLE_SECRET_KEY")) < _SECRET_MIN:
        yield _warning(
            7, f"BROKLE_SECRET_KEY is shorter than {_SECRET_MIN} characters", "generate one: openssl rand -base64 36"
        )


def check_names(environment: Environment) -> Iterator[CheckMessage]:
    """A setting with a typo is silently not set; this is who says so."""
    known = sorted(setting.name for setting in catalogue())
    for name in sorted(environment.for_child()):
        if not name.startswith("BROKLE_") or name in known or name in _OF_THE_CLIENT:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        yield _warning(3, f"{name} is no setting of Brokle", f"did you mean {near[0]}?" if near else "remove it")


def check_disk(environment: Environment) -> Iterator[CheckMessage]:
    folder = settings.DATA_DIR
    if not folder.is_dir():
        return
    if filesystem_of(str(folder)) in {"tmpfs", "ramfs"}:
        yield _warning(
            8, f"the data dir {folder} is in memory: a restart of this machine loses everything", "choose a disk"
        )
    wanted = environment.integer("BROKLE_SPOOL_MAX_MB") + environment.integer("BROKLE_SPOOL_RESERVE_MB")
    free = shutil.disk_usage(folder).free // _MB
    if free < wanted:
        yield _warning(
            9,
            f"{free} MB are free at {folder}, but the spool may use {wanted} MB",
            "free some space or lower BROKLE_SPOOL_MAX_MB",
        )


def filesystem_of(path: str) -> str:
    """The type of the mount that holds the path; empty where the system does not tell."""
    best = ("", "")
    for part in psutil.disk_partitions(all=True):
        inside = path == part.mountpoint or path.startswith(part.mountpoint.rstrip("/") + "/")
        if inside and len(part.mountpoint) >= len(best[0]):
            best = (part.mountpoint, part.fstype)
    return best[1]


def check_postgres(environment: Environment) -> Iterator[CheckMessage]:
    from django.db import DatabaseError, connection

    try:
        with connection.cursor() as cursor:
            asked_at = time.time()
            cursor.execute(
                "SELECT current_setting('server_version_num')::int, extract(epoch FROM clock_timestamp()), "
                "EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector')"
            )
            version, now, has_vector = cursor.fetchone()
    except DatabaseError as error:
        yield _error(4, f"PostgreSQL does not answer ({type(error).__name__})", "see DATABASE_URL and its log")
        return
    if version < _POSTGRES_MIN[0] * 10000:
        yield _error(5, f"PostgreSQL {version // 10000} is too old", f"use {_POSTGRES_MIN[0]} or newer")
    if not has_vector:
        yield _error(6, "PostgreSQL has no pgvector", "install the extension, or use the image pgvector/pgvector")
    skew = abs(float(now) - (asked_at + time.time()) / 2)
    if skew > _SKEW_MAX_S:
        yield _warning(10, f"the clocks of this machine and PostgreSQL differ by {skew:.1f} s", "run NTP on both")


def check_redis(environment: Environment) -> Iterator[CheckMessage]:
    import redis

    client: Any = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
    try:
        info = client.info()
    except redis.RedisError as error:
        yield _error(7, f"Redis does not answer ({type(error).__name__})", "see REDIS_URL and its log")
        return
    finally:
        client.close()
    if version_of(info["redis_version"]) < _REDIS_MIN:
        yield _error(8, f"Redis {info['redis_version']} is too old", "use 6.2 or newer, or Valkey")
    if info.get("maxmemory_policy", "noeviction") != "noeviction":
        yield _warning(
            11,
            f"Redis may evict ({info['maxmemory_policy']}): limits, queues and sessions would vanish",
            "set maxmemory-policy noeviction; give caches their own server with REDIS_CACHE_URL",
        )


def check_clickhouse(environment: Environment) -> Iterator[CheckMessage]:
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from brokle.engines.clickhouse_url import UnableToReadClickHouseUrl, connect

    try:
        version = str(connect(settings.CLICKHOUSE_URL, connect_timeout=3).server_version)
    except UnableToReadClickHouseUrl as error:
        yield _error(9, str(error), "write it so")
        return
    except (ClickHouseError, OSError) as error:
        yield _error(9, f"ClickHouse does not answer ({type(error).__name__})", "see CLICKHOUSE_URL and its log")
        return
    if version_of(version) < _CLICKHOUSE_MIN:
        yield _error(10, f"ClickHouse {version} is too old", "use 24.3 or newer")


def version_of(text: str) -> tuple[int, int]:
    major, _, rest = text.partition(".")
    minor = rest.partition(".")[0]
    return (int(major) if major.isdigit() else 0, int(minor) if minor.isdigit() else 0)


OF_SETTINGS: tuple[Check, ...] = (
    check_base_url,
    check_allowed_hosts,
    check_trusted_proxies,
    check_mail,
    check_choices,
    check_accounts,
    check_secret,
    check_names,
)
OF_SURROUNDINGS: tuple[Check, ...] = (check_disk, check_postgres, check_redis, check_clickhouse)


@register("brokle")
def settings_checks(app_configs: Any, **more: Any) -> list[CheckMessage]:
    return [message for check in OF_SETTINGS for message in check(env)]


@register(Tags.database)
def surroundings_checks(app_configs: Any, databases: Any = None, **more: Any) -> list[CheckMessage]:
    """Only where engines may be asked: `manage.py check --database default`, `brokle prepare`, `brokle doctor`."""
    if not databases:
        return []
    return [message for check in OF_SURROUNDINGS for message in check(env)]


def inspect() -> Sequence[CheckMessage]:
    """Everything that this installation's owner should know; what stops it first."""
    found = [message for message in run_checks(databases=["default"]) if str(message.id).startswith("brokle.")]
    return sorted(found, key=lambda message: (-message.level, str(message.id)))


def line_of(message: CheckMessage) -> str:
    kind = "error" if message.is_serious() else "warning"
    return f"{kind} {message.id}: {message.msg}; {message.hint}"
