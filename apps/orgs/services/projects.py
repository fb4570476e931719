"""Projects and their environments. A project keeps at least one environment, an organization one project."""

from django.db import transaction
from django.utils.translation import gettext as _

from apps.orgs.models import Environment, Project
from apps.orgs.services.limits import demand_room_for_project
from apps.orgs.services.organizations import lock, touch_keys
from apps.orgs.services.records import record
from apps.orgs.services.slugs import check_form, free_slug_in
from brokle.ground.services import Actor
from brokle.kernel.errors import Conflict


@transaction.atomic
def create_project(*, organization_id: str, name: str, actor: Actor, slug: str = "") -> Project:
    """With a live environment and one to develop in."""
    organization = lock(organization_id)
    demand_room_for_project(organization)
    rows = Project.objects.of(organization_id)
    _demand_free(rows, slug)
    slug = slug or free_slug_in(rows, name, "project")
    project = Project.objects.create(organization=organization, name=name, slug=slug)
    for environment, is_live, color in (("production", True, "ok"), ("development", False, "warn")):
        Environment.objects.create(
            organization=organization,
            project=project,
            name=environment,
            slug=environment,
            is_live=is_live,
            color=color,
        )
    record(project, actor, "project.created", after=_facts(project))
    return project


@transaction.atomic
def update_project(*, project: Project, actor: Actor, name: str = "", slug: str = "") -> Project:
    before = _facts(project)
    if slug and slug != project.slug:
        _demand_free(Project.objects.of(project.organization_id).exclude(id=project.id), slug)
    project.name, project.slug = name or project.name, slug or project.slug
    if _facts(project) == before:
        return project
    project.save(update_fields=["name", "slug"])
    record(project, actor, "project.updated", before=before, after=_facts(project))
    return project


@transaction.atomic
def delete_project(*, project: Project, actor: Actor) -> None:
    """Its keys stop at once."""
    lock(project.organization_id)
    if not Project.objects.of(project.organization_id).exclude(id=project.id).exists():
        raise Conflict(_("An organization keeps at least one project."))
    touch_keys(project.organization_id, project_id=project.id)
    record(project, actor, "project.deleted", before=_facts(project))
    project.delete()


@transaction.atomic
def create_environment(
    *, project: Project, name: str, actor: Actor, slug: str = "", color: str = "idle", is_live: bool = False
) -> Environment:
    lock(project.organization_id)
    rows = Environment.objects.of(project.organization_id).filter(project=project)
    _demand_free(rows, slug)
    environment = Environment.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=name,
        slug=slug or free_slug_in(rows, name, "environment"),
        color=color,
        is_live=is_live,
    )
    record(environment, actor, "environment.created", after=_facts(environment))
    return environment


@transaction.atomic
def update_environment(
    *,
    environment: Environment,
    actor: Actor,
    name: str = "",
    slug: str = "",
    color: str = "",
    is_live: bool | None = None,
) -> Environment:
    before = _facts(environment)
    if slug and slug != environment.slug:
        rows = Environment.objects.of(environment.organization_id).filter(project_id=environment.project_id)
        _demand_free(rows.exclude(id=environment.id), slug)
    environment.name, environment.slug = name or environment.name, slug or environment.slug
    environment.color = color or environment.color
    environment.is_live = environment.is_live if is_live is None else is_live
    if _facts(environment) == before:
        return environment
    environment.save(update_fields=["name", "slug", "color", "is_live"])
    record(environment, actor, "environment.updated", before=before, after=_facts(environment))
    return environment


@transaction.atomic
def delete_environment(*, environment: Environment, actor: Actor) -> None:
    """Its keys stop at once."""
    lock(environment.organization_id)
    others = Environment.objects.of(environment.organization_id).filter(project_id=environment.project_id)
    if not others.exclude(id=environment.id).exists():
        raise Conflict(_("A project keeps at least one environment."))
    touch_keys(environment.organization_id, environment_id=environment.id)
    record(environment, actor, "environment.deleted", before=_facts(environment))
    environment.delete()


def _demand_free(rows: object, slug: str) -> None:
    if not slug:
        return
    check_form(slug)
    if rows.filter(slug__iexact=slug).exists():  # type: ignore[attr-defined]
        raise Conflict(_("This address is taken; choose another."), field="slug")


def _facts(row: Project | Environment) -> dict[str, object]:
    facts: dict[str, object] = {"name": row.name, "slug": row.slug}
    if isinstance(row, Environment):
        facts |= {"project": row.project_id, "color": row.color, "is_live": row.is_live}
    return facts
