"""What a project says of its whole gateway."""

from apps.routing.models import GatewaySettings


def settings_of(organization_id: str, *, project_id: str) -> GatewaySettings:
    """As usual where nobody said anything; then it is not saved."""
    found = GatewaySettings.objects.of(organization_id).filter(project_id=project_id).first()
    return found or GatewaySettings(organization_id=organization_id, project_id=project_id)
