"""A believable organization for development and demonstrations. Nothing here runs for `prod`.

Rows are written as their day left them, not through the services of today: a seed sends no mail, calls no webhook and
notifies nobody, and its audit log tells of five weeks. Names, times and outcomes are the same at every run; secrets are
random, and printed once.
"""

import secrets

from django.db import transaction

from apps.orgs.models import Organization
from apps.orgs.services.seeding import academy, hospital
from apps.orgs.services.seeding.chronicle import Chronicle
from apps.orgs.services.seeding.people import make_people
from brokle.kernel.clock import Clock, utc_now

PROFILES = frozenset({"dev", "demo"})


@transaction.atomic
def seed_organization(profile: str, *, clock: Clock = utc_now) -> list[str]:
    """Two organizations, so that there is something to switch to."""
    if Organization.objects.filter(slug__in=[hospital.SLUG, academy.SLUG]).exists():
        return []
    password = secrets.token_urlsafe(12)
    people, made = make_people(password, now=clock())
    for story in (hospital, academy):
        chronicle = Chronicle(story.SLUG, now=clock())
        made += story.tell(chronicle, people)
        chronicle.write()
    return made
