"""The management API of projects and environments."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.orgs.models import Environment, Project
from apps.orgs.selectors import projects as selectors
from apps.orgs.selectors.access import standing_at, standing_of_call
from apps.orgs.services import projects as services
from brokle.web.actor import actor_of
from brokle.web.api import ApiViewSet, Filter
from brokle.web.parsing import parsed


class ProjectSerializer(serializers.ModelSerializer[Project]):
    class Meta:
        model = Project
        fields = ("id", "organization_id", "name", "slug", "created_at")


class NewProjectSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    slug = serializers.SlugField(max_length=50, required=False, help_text="Made from the name when left out.")


class ProjectChangesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    slug = serializers.SlugField(max_length=50, required=False)


class EnvironmentSerializer(serializers.ModelSerializer[Environment]):
    class Meta:
        model = Environment
        fields = ("id", "organization_id", "project_id", "name", "slug", "color", "is_live", "created_at")


class NewEnvironmentSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60)
    slug = serializers.SlugField(max_length=50, required=False, help_text="Made from the name when left out.")
    color = serializers.ChoiceField(choices=Environment.COLORS, required=False)
    is_live = serializers.BooleanField(required=False, help_text="Where real users are; its keys say so.")


class EnvironmentChangesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60, required=False)
    slug = serializers.SlugField(max_length=50, required=False)
    color = serializers.ChoiceField(choices=Environment.COLORS, required=False)
    is_live = serializers.BooleanField(required=False)


_BY_SLUG = Filter("slug", "The one with this slug.", lambda rows, value: rows.filter(slug=value.lower()))


class ProjectEndpoints(ApiViewSet):
    serializer_class = ProjectSerializer
    queryset = Project.objects.across_organizations().none()
    filters: ClassVar[tuple[Filter, ...]] = (_BY_SLUG,)

    @extend_schema(summary="List projects", responses=ProjectSerializer(many=True))
    def list(self, request: Any, organization_id: str) -> Response:
        return self.page_of(selectors.projects_for(standing_of_call(request, organization_id=organization_id)))

    @extend_schema(summary="Create a project", request=NewProjectSerializer, responses={201: ProjectSerializer})
    def create(self, request: Any, organization_id: str) -> Response:
        standing = standing_of_call(request, organization_id=organization_id)
        standing.demand("projects.manage")
        asked = parsed(NewProjectSerializer, request)
        project = services.create_project(organization_id=standing.organization.id, actor=actor_of(request), **asked)
        body = self.get_serializer(project).data
        return Response(body, status=201, headers={"location": f"/api/v1/projects/{project.id}"})

    @extend_schema(summary="Get a project")
    def retrieve(self, request: Any, project_id: str) -> Response:
        standing = standing_at(request, project_id=project_id)
        return Response(self.get_serializer(get_object_or_404(selectors.projects_for(standing), id=project_id)).data)

    @extend_schema(summary="Change a project", request=ProjectChangesSerializer)
    def partial_update(self, request: Any, project_id: str) -> Response:
        standing = standing_at(request, project_id=project_id)
        project = get_object_or_404(selectors.projects_for(standing), id=project_id)
        standing.demand("projects.manage", project.id)
        asked = parsed(ProjectChangesSerializer, request)
        changed = services.update_project(project=project, actor=actor_of(request), **asked)
        return Response(self.get_serializer(changed).data)

    @extend_schema(summary="Delete a project; its keys stop at once", responses={204: None})
    def destroy(self, request: Any, project_id: str) -> Response:
        standing = standing_at(request, project_id=project_id)
        project = get_object_or_404(selectors.projects_for(standing), id=project_id)
        standing.demand("projects.manage")
        services.delete_project(project=project, actor=actor_of(request))
        return Response(status=204)


class EnvironmentEndpoints(ApiViewSet):
    serializer_class = EnvironmentSerializer
    queryset = Environment.objects.across_organizations().none()
    filters: ClassVar[tuple[Filter, ...]] = (_BY_SLUG,)

    @extend_schema(summary="List the environments of a project", responses=EnvironmentSerializer(many=True))
    def list(self, request: Any, project_id: str) -> Response:
        standing = standing_at(request, project_id=project_id)
        project = get_object_or_404(selectors.projects_for(standing), id=project_id)
        return self.page_of(selectors.environments_for(standing).filter(project_id=project.id))

    @extend_schema(
        summary="Create an environment", request=NewEnvironmentSerializer, responses={201: EnvironmentSerializer}
    )
    def create(self, request: Any, project_id: str) -> Response:
        standing = standing_at(request, project_id=project_id)
        project = get_object_or_404(selectors.projects_for(standing), id=project_id)
        standing.demand("projects.manage", project.id)
        asked = parsed(NewEnvironmentSerializer, request)
        environment = services.create_environment(project=project, actor=actor_of(request), **asked)
        body = self.get_serializer(environment).data
        return Response(body, status=201, headers={"location": f"/api/v1/environments/{environment.id}"})

    @extend_schema(summary="Get an environment")
    def retrieve(self, request: Any, environment_id: str) -> Response:
        return Response(self.get_serializer(self._find(request, environment_id)[1]).data)

    @extend_schema(summary="Change an environment", request=EnvironmentChangesSerializer)
    def partial_update(self, request: Any, environment_id: str) -> Response:
        standing, environment = self._find(request, environment_id)
        standing.demand("projects.manage", environment.project_id)
        asked = parsed(EnvironmentChangesSerializer, request)
        changed = services.update_environment(environment=environment, actor=actor_of(request), **asked)
        return Response(self.get_serializer(changed).data)

    @extend_schema(summary="Delete an environment; its keys stop at once", responses={204: None})
    def destroy(self, request: Any, environment_id: str) -> Response:
        standing, environment = self._find(request, environment_id)
        standing.demand("projects.manage", environment.project_id)
        services.delete_environment(environment=environment, actor=actor_of(request))
        return Response(status=204)

    def _find(self, request: Any, environment_id: str) -> tuple[Any, Environment]:
        standing = standing_at(request, environment_id=environment_id)
        return standing, get_object_or_404(selectors.environments_for(standing), id=environment_id)
