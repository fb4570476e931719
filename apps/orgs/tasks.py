"""What organizations do at intervals. Every task may run twice."""

from celery import shared_task


@shared_task(name="orgs.forget_old")
def forget_old() -> int:
    """Deliveries that ended a month ago, notifications of a quarter, command lines nobody let in."""
    from apps.orgs.services import deliveries, devices, notifications

    return deliveries.forget_old() + notifications.forget_old_notifications() + devices.forget_old()


@shared_task(name="orgs.purge")
def purge() -> int:
    """Organizations whose grace is over."""
    from apps.orgs.services.organizations import purge_due

    return purge_due()


@shared_task(name="orgs.note_ended_support")
def note_ended_support() -> int:
    """Support accesses whose time is over; they ended by the clock, this writes it down."""
    from apps.orgs.services.support import note_ended

    return note_ended()


@shared_task(name="orgs.note_key_use")
def note_key_use() -> int:
    """When keys were last used, as the data plane has seen it."""
    from apps.orgs.services.key_use import note

    return note()
