"""Projects and environments of an organization."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.orgs.forms import EnvironmentForm, ProjectForm
from apps.orgs.selectors import projects as selectors
from apps.orgs.selectors.access import access_organization
from apps.orgs.services import projects as services
from apps.orgs.views.pages import act, page, submit
from apps.orgs.views.words import COLORS
from brokle.web.actor import actor_of


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def projects(request: HttpRequest, organization: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    visible = selectors.projects_for(standing).order_by("created_at").prefetch_related("environments")
    form = ProjectForm(request.POST or None)
    if request.method == "POST":
        standing.demand("projects.manage")
        made = submit(
            form,
            lambda data: services.create_project(
                organization_id=standing.organization.id, actor=actor_of(request), **data
            ),
        )
        if made is not None:
            messages.success(request, _("The project is there, with two environments."))
            return HttpResponseRedirect(f"/{organization}/settings/projects")
    context = {"form": form, "projects": visible, "may_manage": standing.may("projects.manage"), "colors": COLORS}
    return page(request, "orgs/projects.html", context, form)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def project(request: HttpRequest, organization: str, project_id: str) -> HttpResponse:
    """One project: its name, its environments, a new one."""
    standing = access_organization(request, slug=organization)
    found = get_object_or_404(selectors.projects_for(standing), id=project_id)
    standing.demand("projects.manage", found.id)
    is_new = request.POST.get("what") == "environment"
    rename = ProjectForm(None if is_new else request.POST or None, initial={"name": found.name, "slug": found.slug})
    new = EnvironmentForm(request.POST if is_new else None, initial={"color": "idle"})
    if request.method == "POST":
        done = submit(
            new if is_new else rename,
            lambda data: (
                services.create_environment(project=found, actor=actor_of(request), **data)
                if is_new
                else services.update_project(project=found, actor=actor_of(request), **data)
            ),
        )
        if done is not None:
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(f"/{organization}/settings/projects/{found.id}")
    environments = selectors.environments_for(standing).filter(project_id=found.id).order_by("-is_live", "created_at")
    context = {
        "project": found,
        "rename": rename,
        "new": new,
        "environments": environments,
        "colors": COLORS,
        "may_delete": standing.may("projects.manage"),
    }
    return page(request, "orgs/project.html", context, rename, new)


@login_required
@require_POST
def delete_project(request: HttpRequest, organization: str, project_id: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    found = get_object_or_404(selectors.projects_for(standing), id=project_id)
    standing.demand("projects.manage")
    back = f"/{organization}/settings/projects"
    if request.POST.get("confirm", "").strip() != found.name:
        messages.error(request, _("The name did not match; nothing was deleted."))
        return HttpResponseRedirect(f"{back}/{found.id}")
    return act(
        request,
        back,
        lambda: services.delete_project(project=found, actor=actor_of(request)),
        _("The project is deleted, and its keys stopped."),
    )


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def environment(request: HttpRequest, organization: str, environment_id: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    found = get_object_or_404(selectors.environments_for(standing).select_related("project"), id=environment_id)
    standing.demand("projects.manage", found.project_id)
    facts = {name: getattr(found, name) for name in ("name", "slug", "color", "is_live")}
    form = EnvironmentForm(request.POST or None, initial=facts)
    if request.method == "POST":
        done = submit(
            form,
            lambda data: services.update_environment(environment=found, actor=actor_of(request), **data),
        )
        if done is not None:
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(f"/{organization}/settings/projects/{found.project_id}")
    return page(request, "orgs/environment.html", {"environment": found, "form": form}, form)


@login_required
@require_POST
def delete_environment(request: HttpRequest, organization: str, environment_id: str) -> HttpResponse:
    standing = access_organization(request, slug=organization)
    found = get_object_or_404(selectors.environments_for(standing), id=environment_id)
    standing.demand("projects.manage", found.project_id)
    back = f"/{organization}/settings/projects/{found.project_id}"
    if request.POST.get("confirm", "").strip() != found.name:
        messages.error(request, _("The name did not match; nothing was deleted."))
        return HttpResponseRedirect(back)
    return act(
        request,
        back,
        lambda: services.delete_environment(environment=found, actor=actor_of(request)),
        _("The environment is deleted, and its keys stopped."),
    )
