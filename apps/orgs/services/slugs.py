"""The short names in addresses: free, not needed by a route, of plain Latin letters."""

import re

from django.db.models import QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext as _

from apps.orgs.models import Organization
from brokle.kernel.errors import Conflict, Invalid

RESERVED = frozenset({
    "admin", "api", "auth", "dashboard", "debug", "dev", "health", "invitations", "login", "m", "marketplace", "mcp",
    "metrics", "notifications", "ofrep", "onboarding", "openai", "operator", "organizations", "preferences",
    "proxy", "run", "scim", "settings", "signup", "sso", "static", "v1", "v1beta", "webhooks", "ws",
})  # fmt: skip
_FORM = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")


def free_slug(name: str) -> str:
    """From the name where it has Latin letters; numbered when taken or needed by a route."""
    base = slugify(name)[:44].strip("-_") or "team"
    candidate, number = base, 1
    while candidate in RESERVED or Organization.objects.filter(slug__iexact=candidate).exists():
        number += 1
        candidate = f"{base}-{number}"
    return candidate


def check_slug(slug: str, *, besides: str = "") -> None:
    check_form(slug)
    if slug in RESERVED:
        raise Conflict(_("Brokle needs this address itself; choose another."), field="slug")
    if Organization.objects.filter(slug__iexact=slug).exclude(id=besides).exists():
        raise Conflict(_("This address is taken; choose another."), field="slug")


def check_form(slug: str) -> None:
    if not _FORM.fullmatch(slug):
        raise Invalid(_("Use 1 to 50 small Latin letters, digits and hyphens."), field="slug")


def free_slug_in(rows: QuerySet, name: str, fallback: str) -> str:  # type: ignore[type-arg]
    """As `free_slug`, among an organization's own projects or a project's environments."""
    base = slugify(name)[:44].strip("-_") or fallback
    candidate, number = base, 1
    while rows.filter(slug__iexact=candidate).exists():
        number += 1
        candidate = f"{base}-{number}"
    return candidate
