"""What the environment asks for on first start: an owner, the default organization, a bootstrap key."""

import logging

from django.conf import settings
from django.db import transaction

from apps.orgs.contracts import ProjectRef
from apps.orgs.models import ApiKey, Environment, Membership, Organization, Project, Role
from apps.orgs.services.keys import creation_of, keep_key
from apps.orgs.services.organizations import create_organization
from apps.orgs.services.records import note
from apps.users import facade as users
from brokle.edge.principal import SCOPES, digest
from brokle.ground.services import SYSTEM

log = logging.getLogger("brokle.orgs")

DEFAULT = "default"


@transaction.atomic
def apply_first_start() -> None:
    """Idempotent: what is there stays as people made it."""
    wants_owner = bool(settings.ADMIN_EMAIL and settings.ADMIN_PASSWORD)
    if not wants_owner and not settings.BOOTSTRAP_KEY:
        return
    organization = _ensure_organization()
    if wants_owner:
        _ensure_owner(organization)
    if settings.BOOTSTRAP_KEY:
        _ensure_key(organization)


@transaction.atomic
def ensure_default_project() -> ProjectRef:
    organization = _ensure_organization()
    project = Project.objects.of(organization.id).get(slug=DEFAULT)
    return ProjectRef(organization.id, project.id)


def find_default_project() -> ProjectRef | None:
    found = Project.objects.across_organizations().filter(organization__slug=DEFAULT, slug=DEFAULT).first()
    return ProjectRef(found.organization_id, found.id) if found else None


def _ensure_organization() -> Organization:
    found = Organization.objects.filter(slug=DEFAULT).first()
    if found is not None:
        return found
    return create_organization(name=DEFAULT, slug=DEFAULT, owner_id=None, actor=SYSTEM).organization


def _ensure_owner(organization: Organization) -> None:
    if users.any_user_exists():
        return
    owner_id = users.create_owner(email=settings.ADMIN_EMAIL, password=settings.ADMIN_PASSWORD, is_operator=True)
    Membership.objects.create(organization=organization, user_id=owner_id, role=Role.OWNER)
    log.info("created the first owner", extra={"user_id": owner_id})


def _ensure_key(organization: Organization) -> None:
    if (
        ApiKey.objects.across_organizations()
        .filter(hash=digest(settings.PEPPER, settings.BOOTSTRAP_KEY.encode()))
        .exists()
    ):
        return
    environment = Environment.objects.of(organization.id).get(project__slug=DEFAULT, slug="production")
    key, _value = keep_key(
        environment=environment, name="bootstrap", scopes=SCOPES, created_by=SYSTEM.id, value=settings.BOOTSTRAP_KEY
    )
    # Noted and not announced: whoever wrote it into the environment knows of it.
    note(key, SYSTEM, "key.created", after=creation_of(key))
    log.info("issued the bootstrap key", extra={"organization_id": organization.id})
