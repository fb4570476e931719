"""What the ground forgets of an organization that is gone for good."""

from brokle.engines.analytics import forget_organization
from brokle.ground.models import AuditEntry, OutboxEntry, UsageRecord

_TABLES = ("events", "metrics")


def purge(organization_id: str) -> None:
    for table in _TABLES:
        forget_organization(table, organization_id)
    for model in (UsageRecord, OutboxEntry, AuditEntry):
        model.objects.filter(organization_id=organization_id).delete()
