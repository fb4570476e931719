"""What leaves Brokle without passing the egress policy, and why. A test keeps this list complete.

The common reason: the address comes from the operator (environment, run.json) and no user can change it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exemption:
    what: str
    folder: str
    """The only folder whose code may make these connections."""
    clients: tuple[str, ...]
    """Modules that connect by themselves there."""
    why: str


EXEMPTIONS = (
    Exemption(
        what="PostgreSQL, Redis and ClickHouse",
        folder="brokle/engines",
        clients=("psycopg", "redis", "clickhouse_connect", "urllib3"),
        why="Their addresses are DATABASE_URL, REDIS_URL, CLICKHOUSE_URL or this machine's engines.",
    ),
    Exemption(
        what="Container engine",
        folder="apps/hosting/drivers",
        clients=("docker", "requests", "urllib3"),
        why="A local socket, or the DOCKER_HOST of the operator; only the executor role opens it.",
    ),
    Exemption(
        what="Outgoing mail",
        folder="brokle/web",
        clients=("smtplib",),
        why="The relay is BROKLE_SMTP_URL or EMAIL_URL; recipients are addresses, not hosts that Brokle connects to.",
    ),
    Exemption(
        what="Error reports",
        folder="brokle/settings",
        clients=("sentry_sdk",),
        why="The receiver is SENTRY_DSN.",
    ),
    Exemption(
        what="The server that a command works against",
        folder="brokle/cli",
        clients=("http.client",),
        why="`login`, `keys` and `doctor --smoke` call what run.json, --url or BROKLE_URL names.",
    ),
)
