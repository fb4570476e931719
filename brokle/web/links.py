"""Addresses that work outside of a page: in mails, in notifications, in what webhooks say."""

from typing import Any

from django.conf import settings


def absolute_url(path: str, request: Any = None) -> str:
    """Under the public address where one is set, else under the address that the person used."""
    if settings.BASE_URL:
        return f"{settings.BASE_URL}{path}"
    return str(request.build_absolute_uri(path)) if request is not None else path
