"""Beat: schedules are rows; whoever holds the advisory lock sends what is due."""

import logging
from datetime import timedelta

from django.db import connection, transaction

from brokle.ground.models import Schedule
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.extensions import periodic_tasks

log = logging.getLogger("brokle.ground.schedule")

_LEADER_LOCK = 0x42454154


def declare_all() -> None:
    """Every room's periodic tasks become rows; a person's change of interval or switch stays."""
    for task in periodic_tasks.collect():
        Schedule.objects.get_or_create(
            name=task.name, defaults={"task": task.task, "queue": task.queue, "every_seconds": task.every_seconds}
        )


def send_due(*, clock: Clock = utc_now) -> int:
    """Sends each due task once and moves it to its next time, missed rounds skipped."""
    from brokle.celery import app

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LEADER_LOCK])
            if not cursor.fetchone()[0]:
                return 0
        now = clock()
        due = list(Schedule.objects.select_for_update().filter(enabled=True, next_run_at__lte=now))
        for row in due:
            app.send_task(row.task, queue=row.queue)
            row.last_run_at = now
            row.next_run_at = now + timedelta(seconds=row.every_seconds)
            row.save(update_fields=["last_run_at", "next_run_at"])
    return len(due)
