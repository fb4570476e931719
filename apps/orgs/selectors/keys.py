"""API keys of an environment, without their secrets."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import QuerySet

from apps.orgs.contracts import EnvironmentRef, KeyBudget, KeyPlace
from apps.orgs.models import ApiKey, Membership
from brokle.edge.budgets import name_of_key
from brokle.engines.burn import Budget, Burn, read_burns


def keys_of(place: EnvironmentRef) -> QuerySet[ApiKey]:
    return ApiKey.objects.of(place.organization.id).filter(environment_id=place.environment_id)


def burns_of(keys: Iterable[ApiKey], *, now: datetime) -> dict[str, Burn]:
    """How far each budget is used up, by the id of its key; keys without one are not there."""
    budgets = {
        key.id: Budget(name_of_key(key.id), key.budget_usd_micros, key.budget_window, key.created_at)
        for key in keys
        if key.budget_usd_micros
    }
    return read_burns(budgets, now=now)


def list_key_budgets(*, now: datetime) -> Iterator[KeyBudget]:
    rows = ApiKey.objects.across_organizations().filter(budget_usd_micros__gt=0, revoked_at__isnull=True)
    for key in rows.exclude(expires_at__lte=now).iterator():
        place = key.organization_id, key.project_id, key.environment_id
        yield KeyBudget(*place, key.id, key.name, key.budget_usd_micros or 0, key.budget_window, key.created_at)


def list_key_names(*, organization_id: str, key_ids: list[str]) -> dict[str, str]:
    """A member who calls from the console stands in the place of a key, by their own id."""
    keys = ApiKey.objects.of(organization_id).filter(id__in=key_ids)
    people = [key_id for key_id in key_ids if key_id.startswith("usr_")]
    return dict(keys.values_list("id", "name")) | (_names_of_members(organization_id, people) if people else {})


def _names_of_members(organization_id: str, user_ids: list[str]) -> dict[str, str]:
    members = Membership.objects.of(organization_id).filter(user_id__in=user_ids).select_related("user")
    return {member.user_id: member.user.name or member.user.email for member in members}


def find_newest_key(place: EnvironmentRef) -> ApiKey | None:
    return keys_of(place).filter(revoked_at__isnull=True).order_by("-id").first()


def list_key_places(*, organization_id: str) -> list[KeyPlace]:
    rows = ApiKey.objects.of(organization_id).filter(revoked_at__isnull=True).select_related("project", "environment")
    return [
        KeyPlace(key.id, key.project_id, key.project.slug, key.environment_id, key.environment.slug, tuple(key.scopes))
        for key in rows.order_by("id")
    ]
