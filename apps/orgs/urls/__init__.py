from django.urls import path

from apps.orgs.endpoints import audit, keys, members, notifications, organizations, projects, tokens, webhooks
from apps.orgs.urls import operator
from apps.orgs.views import audit as audit_views
from apps.orgs.views import device, onboarding, organization
from apps.orgs.views import keys as key_views
from apps.orgs.views import members as member_views
from apps.orgs.views import notifications as notification_views
from apps.orgs.views import projects as project_views
from apps.orgs.views import tokens as token_views
from apps.orgs.views import webhooks as webhook_views

_ORGANIZATION = "api/v1/organizations/<id:organization_id>"
_PROJECT = "api/v1/projects/<id:project_id>"
_WEBHOOK = f"{_ORGANIZATION}/webhooks/<id:webhook_id>"
_DELIVERY = f"{_WEBHOOK}/deliveries/<id:delivery_id>"
_SETTINGS = "<slug:organization>/settings"
_WEBHOOKS = f"{_SETTINGS}/webhooks"
_PAGE = f"{_WEBHOOKS}/<id:webhook_id>"
_DELIVERY_PAGE = f"{_PAGE}/deliveries/<id:delivery_id>"
_ITEM = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
_LIST = {"get": "list", "post": "create"}

Organizations, Keys = organizations.OrganizationEndpoints, keys.KeyEndpoints
Members, ProjectMembers = members.MemberEndpoints, members.ProjectMemberEndpoints
Invitations = members.InvitationEndpoints
Projects, Environments = projects.ProjectEndpoints, projects.EnvironmentEndpoints
Webhooks, Deliveries = webhooks.WebhookEndpoints, webhooks.DeliveryEndpoints
Notifications, Preferences = notifications.NotificationEndpoints, notifications.PreferenceEndpoints

urlpatterns = [
    *operator.urlpatterns,
    path("", onboarding.home, name="home"),
    path("dashboard", onboarding.dashboard, name="dashboard"),
    path("onboarding", onboarding.welcome, name="onboarding"),
    path("onboarding/organization", onboarding.organization, name="onboarding-organization"),
    path("onboarding/key", onboarding.first_key, name="onboarding-key"),
    path("api/v1/organizations", Organizations.as_view(_LIST), name="api-organizations"),
    path(_ORGANIZATION, Organizations.as_view(_ITEM), name="api-organization"),
    path(f"{_ORGANIZATION}/restore", Organizations.as_view({"post": "restore"}), name="api-organization-restore"),
    path(f"{_ORGANIZATION}/transfer", Organizations.as_view({"post": "transfer"}), name="api-organization-transfer"),
    path(f"{_ORGANIZATION}/audit-log", audit.AuditEndpoints.as_view({"get": "list"}), name="api-audit"),
    path(
        f"{_ORGANIZATION}/audit-log/export",
        audit.AuditExportEndpoints.as_view({"get": "retrieve"}),
        name="api-audit-export",
    ),
    path(f"{_ORGANIZATION}/members", Members.as_view({"get": "list"}), name="api-members"),
    path(f"{_ORGANIZATION}/members/<id:member_id>", Members.as_view(_ITEM), name="api-member"),
    path(f"{_ORGANIZATION}/invitations", Invitations.as_view(_LIST), name="api-invitations"),
    path(
        f"{_ORGANIZATION}/invitations/<id:invitation_id>",
        Invitations.as_view({"get": "retrieve", "delete": "destroy"}),
        name="api-invitation",
    ),
    path(
        f"{_ORGANIZATION}/invitations/<id:invitation_id>/resend",
        Invitations.as_view({"post": "resend"}),
        name="api-invitation-resend",
    ),
    path("api/v1/invitations/accept", Invitations.as_view({"post": "accept"}), name="api-invitation-accept"),
    path(f"{_ORGANIZATION}/projects", Projects.as_view(_LIST), name="api-projects"),
    path(_PROJECT, Projects.as_view(_ITEM), name="api-project"),
    path(f"{_PROJECT}/members", ProjectMembers.as_view({"get": "list"}), name="api-project-members"),
    path(
        f"{_PROJECT}/members/<id:member_id>",
        ProjectMembers.as_view({"put": "update", "delete": "destroy"}),
        name="api-project-member",
    ),
    path(f"{_PROJECT}/environments", Environments.as_view(_LIST), name="api-environments"),
    path("api/v1/environments/<id:environment_id>", Environments.as_view(_ITEM), name="api-environment"),
    path("auth/device", device.device, name="device"),
    path("api/v1/auth/device", tokens.DeviceEndpoints.as_view({"post": "create"}), name="api-device"),
    path("api/v1/auth/device/token", tokens.DeviceEndpoints.as_view({"post": "token"}), name="api-device-token"),
    path("api/v1/tokens", tokens.TokenEndpoints.as_view(_LIST), name="api-tokens"),
    path("api/v1/tokens/<id:token_id>", tokens.TokenEndpoints.as_view({"delete": "destroy"}), name="api-token"),
    path("api/v1/keys", Keys.as_view(_LIST), name="api-keys"),
    path("api/v1/keys/<id:key_id>", Keys.as_view(_ITEM), name="api-key"),
    path("api/v1/keys/<id:key_id>/rotate", Keys.as_view({"post": "rotate"}), name="api-key-rotate"),
    path("invitations/<str:token>", member_views.invitation, name="invitation"),
    path("organizations/<id:organization_id>/closing", organization.closing, name="organization-closing"),
    path("settings/tokens", token_views.tokens, name="settings-tokens"),
    path("settings/tokens/<id:token_id>/revoke", token_views.revoke, name="settings-token-revoke"),
    path(_SETTINGS, organization.general, name="settings"),
    path(f"{_SETTINGS}/transfer", organization.transfer, name="settings-transfer"),
    path(f"{_SETTINGS}/delete", organization.delete, name="settings-delete"),
    path(f"{_SETTINGS}/members", member_views.members, name="settings-members"),
    path(f"{_SETTINGS}/members/<id:member_id>/role", member_views.change_role, name="settings-member-role"),
    path(f"{_SETTINGS}/members/<id:member_id>/remove", member_views.remove, name="settings-member-remove"),
    path(
        f"{_SETTINGS}/invitations/<id:invitation_id>/revoke",
        member_views.revoke_invitation,
        name="settings-invitation-revoke",
    ),
    path(
        f"{_SETTINGS}/invitations/<id:invitation_id>/resend",
        member_views.resend_invitation,
        name="settings-invitation-resend",
    ),
    path(f"{_SETTINGS}/projects", project_views.projects, name="settings-projects"),
    path(f"{_SETTINGS}/projects/<id:project_id>", project_views.project, name="settings-project"),
    path(f"{_SETTINGS}/projects/<id:project_id>/delete", project_views.delete_project, name="settings-project-delete"),
    path(f"{_SETTINGS}/environments/<id:environment_id>", project_views.environment, name="settings-environment"),
    path(
        f"{_SETTINGS}/environments/<id:environment_id>/delete",
        project_views.delete_environment,
        name="settings-environment-delete",
    ),
    path(f"{_SETTINGS}/keys", key_views.keys, name="settings-keys"),
    path(f"{_SETTINGS}/keys/<id:key_id>", key_views.key, name="settings-key"),
    path(f"{_SETTINGS}/keys/<id:key_id>/rotate", key_views.rotate, name="settings-key-rotate"),
    path(f"{_SETTINGS}/keys/<id:key_id>/revoke", key_views.revoke, name="settings-key-revoke"),
    path(f"{_SETTINGS}/audit", audit_views.audit_log, name="settings-audit"),
    path("api/v1/event-types", webhooks.EventTypeEndpoints.as_view({"get": "retrieve"}), name="api-event-types"),
    path(f"{_ORGANIZATION}/webhooks", Webhooks.as_view(_LIST), name="api-webhooks"),
    path(_WEBHOOK, Webhooks.as_view(_ITEM), name="api-webhook"),
    path(f"{_WEBHOOK}/rotate-secret", Webhooks.as_view({"post": "rotate_secret"}), name="api-webhook-rotate-secret"),
    path(f"{_WEBHOOK}/test", Webhooks.as_view({"post": "test"}), name="api-webhook-test"),
    path(f"{_WEBHOOK}/deliveries", Deliveries.as_view({"get": "list"}), name="api-webhook-deliveries"),
    path(_DELIVERY, Deliveries.as_view({"get": "retrieve"}), name="api-webhook-delivery"),
    path(f"{_DELIVERY}/replay", Deliveries.as_view({"post": "replay"}), name="api-webhook-delivery-replay"),
    path("api/v1/notifications", Notifications.as_view({"get": "list"}), name="api-notifications"),
    path("api/v1/notifications/read-all", Notifications.as_view({"post": "read_all"}), name="api-notifications-read"),
    path(
        "api/v1/notifications/<id:notification_id>/read",
        Notifications.as_view({"post": "read"}),
        name="api-notification-read",
    ),
    path(
        "api/v1/notification-preferences",
        Preferences.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="api-notification-preferences",
    ),
    path("notifications", notification_views.notification_list, name="notifications"),
    path("notifications/bell", notification_views.bell, name="notifications-bell"),
    path("notifications/read-all", notification_views.read_all, name="notifications-read-all"),
    path("notifications/<id:notification_id>", notification_views.open_one, name="notification"),
    path("settings/notifications", notification_views.preferences, name="notification-preferences"),
    path(_WEBHOOKS, webhook_views.webhook_list, name="webhooks"),
    path(f"{_WEBHOOKS}/new", webhook_views.webhook_new, name="webhook-new"),
    path(_PAGE, webhook_views.webhook_detail, name="webhook"),
    path(f"{_PAGE}/edit", webhook_views.webhook_edit, name="webhook-edit"),
    path(f"{_PAGE}/test", webhook_views.webhook_test, name="webhook-test"),
    path(f"{_PAGE}/rotate", webhook_views.webhook_rotate, name="webhook-rotate"),
    path(f"{_PAGE}/switch", webhook_views.webhook_switch, name="webhook-switch"),
    path(f"{_PAGE}/delete", webhook_views.webhook_delete, name="webhook-delete"),
    path(_DELIVERY_PAGE, webhook_views.webhook_delivery, name="webhook-delivery"),
    path(f"{_DELIVERY_PAGE}/replay", webhook_views.webhook_replay, name="webhook-replay"),
]
