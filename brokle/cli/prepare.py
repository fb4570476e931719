"""Before anything listens: migrations, the secret's check, first-start steps, the first snapshot."""

import logging
import sys

import typer

from brokle.cli.django_setup import ready
from brokle.edge.watch import configure_logs
from brokle.settings.env import env

log = logging.getLogger("brokle.prepare")


class WrongSecret(Exception):
    pass


class UnableToStartSo(Exception):
    pass


def prepare() -> None:
    """Bring the databases and the snapshot up to this version (run by `brokle serve`)."""
    configure_logs(env)
    ready()
    from brokle.engines.migrations.ledger import UnableToMigrate
    from brokle.ground.configuration import UnableToConfigure

    try:
        _inspect()
        _migrate()
        _check_secret()
        _run_steps()
    except (WrongSecret, UnableToMigrate, UnableToStartSo, UnableToConfigure) as error:
        print(f"brokle: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    _publish_snapshot()


def _inspect() -> None:
    """Says what is wrong with this installation; only what cannot work stops it."""
    from brokle.engines.clickhouse_url import wait_until_answers
    from brokle.web.checks import inspect, line_of

    wait_until_answers(env.text("CLICKHOUSE_URL"), seconds=60)
    found = inspect()
    for message in found:
        if not message.is_serious():
            log.warning(line_of(message))
    serious = [line_of(message) for message in found if message.is_serious()]
    if serious:
        raise UnableToStartSo("\nbrokle: ".join(serious))


def _migrate() -> None:
    from brokle.engines.migrations.upgrade import bring_up_to_date

    for step in bring_up_to_date(env.text("CLICKHOUSE_URL")):
        log.info("migrated", extra={"database": step.database, "step": f"{step.version} {step.name}"})


def _check_secret() -> None:
    from brokle.ground.models import Installation
    from brokle.kernel.ids import new_id
    from brokle.kernel.secrets import check_value

    current = check_value(env.text("BROKLE_SECRET_KEY"))
    found, _ = Installation.objects.get_or_create(
        id=1, defaults={"installation_id": new_id("ins"), "secret_check": current}
    )
    if found.secret_check == current:
        return
    fallbacks = {check_value(secret) for secret in env.items("BROKLE_SECRET_KEY_FALLBACKS")}
    if found.secret_check not in fallbacks:
        raise WrongSecret(
            "BROKLE_SECRET_KEY is not the one this database was made with; restore it, "
            "or name the old one in BROKLE_SECRET_KEY_FALLBACKS to rotate"
        )
    found.secret_check = current
    found.save(update_fields=["secret_check"])


def _run_steps() -> None:
    from brokle.kernel.extensions import start_steps

    for step in start_steps.collect():
        step.run()


def _publish_snapshot() -> None:
    import redis

    from brokle.ground.compiler import Compiler

    compiler = Compiler(redis.Redis.from_url(env.text("REDIS_URL")))
    if compiler.lead():
        compiler.ensure()
        compiler.publish_changes()
        compiler.resign()
