"""Rows of an organization are read by naming it; a query that names none does not run."""

from typing import Any, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class UnscopedQuery(Exception):
    """A fault of ours: somebody asked for rows without saying whose."""


class OrganizationManager(models.Manager[M]):
    """`of(organization_id)` is the way in. `across_organizations()` is for the compiler, the operator and migrations.

    A related manager (`organization.projects`) is bounded by the row it hangs on.
    """

    use_in_migrations = False

    def of(self, organization_id: str) -> models.QuerySet[M]:
        if not organization_id:
            raise UnscopedQuery(f"{self.model.__name__} was asked for without an organization")
        return super().get_queryset().filter(organization_id=organization_id)

    def across_organizations(self) -> models.QuerySet[M]:
        return super().get_queryset()

    def create(self, **fields: Any) -> M:
        if not (fields.get("organization") or fields.get("organization_id") or hasattr(self, "instance")):
            raise UnscopedQuery(f"a {self.model.__name__} belongs to an organization")
        return super().get_queryset().create(**self._with_parent(fields))

    def get_queryset(self) -> models.QuerySet[M]:
        if hasattr(self, "instance"):
            return super().get_queryset()
        raise UnscopedQuery(f"{self.model.__name__}.objects: say whose with of(organization_id)")

    def _with_parent(self, fields: dict[str, Any]) -> dict[str, Any]:
        if hasattr(self, "instance"):
            fields.setdefault(self.field.name, self.instance)  # type: ignore[attr-defined]
        return fields
