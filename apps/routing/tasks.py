"""What the gateway's control plane does in the background. Every task may run twice."""

from collections.abc import Callable

from celery import shared_task


@shared_task(name="routing.refresh_catalogue")
def refresh_catalogue() -> bool:
    """A new release, or a day on which a listed price begins."""
    from apps.routing.services import catalogue

    return catalogue.refresh_catalogue()


@shared_task(name="routing.tell_thresholds")
def tell_thresholds() -> int:
    """Budgets that run low."""
    from apps.routing.services import budgets

    return budgets.tell_thresholds()


@shared_task(name="routing.recost")
def recost(organization_id: str, recosting_id: str) -> int:
    """Past requests of one environment, charged again."""
    from apps.routing.services import recosting

    return recosting.recost(organization_id=organization_id, recosting_id=recosting_id)


def recounting_step() -> Callable[[], int]:
    """A loop of the worker, not a task: what the broker lost is lost with the counters."""
    from apps.routing.services import recounting

    return recounting.Recounting().step
