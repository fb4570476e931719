"""API keys of an environment, without their secrets."""

from django.db.models import QuerySet

from apps.orgs.contracts import EnvironmentRef
from apps.orgs.models import ApiKey


def keys_of(place: EnvironmentRef) -> QuerySet[ApiKey]:
    return ApiKey.objects.of(place.organization.id).filter(environment_id=place.environment_id)


def list_key_names(*, organization_id: str, key_ids: list[str]) -> dict[str, str]:
    keys = ApiKey.objects.of(organization_id).filter(id__in=key_ids)
    return dict(keys.values_list("id", "name"))


def find_newest_key(place: EnvironmentRef) -> ApiKey | None:
    return keys_of(place).filter(revoked_at__isnull=True).order_by("-id").first()
