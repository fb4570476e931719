"""What the pages of the gateway share: where a person stands, and addresses that keep it."""

from urllib.parse import urlencode

from django.urls import reverse

from apps.orgs.contracts import EnvironmentRef


def env_of(place: EnvironmentRef) -> str:
    """What `?env=` says of it."""
    return f"{place.project_slug}/{place.environment_slug}"


def href_at(place: EnvironmentRef, name: str, *parts: str, **query: str) -> str:
    """A page of this environment."""
    path = reverse(name, args=[place.organization.slug, *parts])
    return f"{path}?{urlencode({'env': env_of(place), **query}, safe='/')}"
