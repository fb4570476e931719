"""What pages call things that are stored by key."""

from django.utils.translation import gettext_noop

ROLES = {
    "owner": gettext_noop("Owner"),
    "admin": gettext_noop("Administrator"),
    "developer": gettext_noop("Developer"),
    "viewer": gettext_noop("Viewer"),
    "billing": gettext_noop("Billing"),
    "consumer": gettext_noop("Consumer"),
}
COLORS = {
    "ok": gettext_noop("Green"),
    "warn": gettext_noop("Amber"),
    "bad": gettext_noop("Red"),
    "accent": gettext_noop("Blue"),
    "idle": gettext_noop("Gray"),
}
SCOPES = {
    "gateway": gettext_noop("Call models"),
    "ingest": gettext_noop("Send telemetry"),
    "decide": gettext_noop("Ask for decisions"),
    "invoke": gettext_noop("Call hosted endpoints"),
    "admin": gettext_noop("Manage this project"),
}
LEVELS = {"look": gettext_noop("Look, as a viewer"), "help": gettext_noop("Help, as an administrator")}
FACTORS = {
    "totp": gettext_noop("Authenticator app"),
    "webauthn": gettext_noop("Passkey"),
    "recovery_codes": gettext_noop("Recovery codes"),
}
