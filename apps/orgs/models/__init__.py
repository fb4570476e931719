from apps.orgs.models.keys import ApiKey, BudgetWindow
from apps.orgs.models.members import Invitation, Membership, ProjectMembership, Role
from apps.orgs.models.notifications import Notification, NotificationPreference
from apps.orgs.models.organizations import Environment, Organization, Project
from apps.orgs.models.support import SupportAccess, SupportLevel
from apps.orgs.models.tokens import DeviceGrant, PersonalToken
from apps.orgs.models.webhooks import DeliveryStatus, DisabledReason, Webhook, WebhookAttempt, WebhookDelivery

__all__ = [
    "ApiKey",
    "BudgetWindow",
    "DeliveryStatus",
    "DeviceGrant",
    "DisabledReason",
    "Environment",
    "Invitation",
    "Membership",
    "Notification",
    "NotificationPreference",
    "Organization",
    "PersonalToken",
    "Project",
    "ProjectMembership",
    "Role",
    "SupportAccess",
    "SupportLevel",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
]
