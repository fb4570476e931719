"""One row for every route of the control plane: who may do what there. A route without a row fails the suite.

`TENANT` rows name, by method, the members whom the call serves; everybody else must be refused and change nothing.
`OWN` routes answer with what is the caller's own, `OPEN` ones to anybody: none of them may show a word of somebody
else's organization. `OPERATOR` ones serve the operator alone; for members and keys there is nothing.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["tenant", "own", "open", "operator"]

MANAGERS = frozenset({"owner", "admin"})
MAKERS = MANAGERS | {"developer"}
READERS = MAKERS | {"viewer"}
PEOPLE = READERS | {"billing"}
MEMBERS = PEOPLE | {"consumer", "guest"}
OWNER = frozenset({"owner"})
OPERATOR = frozenset({"operator"})
KEY = frozenset({"key"})
KEYS = frozenset({"key", "other_key"})


@dataclass(frozen=True, slots=True)
class Cell:
    """A method: whom it serves, what they send (JSON, or a page's form), and the statuses that count as served."""

    allowed: frozenset[str] = frozenset()
    body: Any = None
    form: Any = None
    served: tuple[int, ...] = (200, 201, 202, 204)


@dataclass(frozen=True, slots=True)
class Row:
    kind: Kind
    cells: dict[str, Cell] = field(default_factory=dict)
    query: str = ""


def tenant(query: str = "", **cells: Cell) -> Row:
    return Row("tenant", {method.upper(): cell for method, cell in cells.items()}, query)


def own(*methods: str) -> Row:
    return Row("own", {method: Cell() for method in methods or ("GET",)})


def open_to_all(*methods: str) -> Row:
    return Row("open", {method: Cell() for method in methods or ("GET",)})


def operator(*methods: str, **cells: Cell) -> Row:
    plain = {method: Cell(OPERATOR) for method in methods}
    return Row("operator", {**plain, **{method.upper(): cell for method, cell in cells.items()}})


def operators(body: Any = None, form: Any = None, served: tuple[int, ...] = (200, 201, 202, 204)) -> Cell:
    return Cell(OPERATOR, body, form, served)


NEW_WEBHOOK = {"url": "https://93.184.216.34/hook"}
NEW_PROVIDER = {"name": "taken", "kind": "groq"}
GROQ = {"name": "taken", "base_url": "https://api.groq.com/openai/v1"}
OWN_PROVIDER = {"name": "taken", "base_url": "http://127.0.0.1:9/v2", "is_enabled": "on"}
OWN_CREDENTIAL = {"credential-name": "ci", "credential-api_key": "sk-of-noor-taken", "credential-weight": "1"}
ROUTE_FORM = {
    "name": "taken",
    "strategy": "fallback",
    "retries": "1",
    "timeout_ms": "1000",
    "hedge_after_ms": "0",
    "target-TOTAL_FORMS": "1",
    "target-INITIAL_FORMS": "0",
    "target-0-model": "echo/fast",
    "target-0-weight": "1",
}
NEW_CREDENTIAL = {"name": "ci", "api_key": "sk-of-noor-taken"}
NEW_ROUTE = {"name": "taken", "targets": [{"model": "echo/fast"}]}
NEW_LIMIT = {"name": "mine", "subject": "user", "measured": "requests", "amount": 5, "window": "minute"}
LIMIT_FORM = {**NEW_LIMIT, "name": "taken", "amount": "5"}
NEW_RECOSTING = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z"}
NEW_KEY = {"name": "ci", "scopes": ["gateway"]}
AT_PLACE = "env=default/production"
AT_PRODUCTION = "environment={environment_id}"

_DOORS = (
    *("account_login", "mfa_login_webauthn", "mfa_authenticate", "account_logout", "account_signup"),
    *("account_email_verification_sent", "account_confirm_email", "account_reset_password"),
    *("account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done"),
    *("github_login", "github_callback", "google_login", "google_callback", "socialaccount_signup"),
    *("socialaccount_login_error", "socialaccount_login_cancelled", "socialaccount_connections"),
    "account_email_confirm",
)
_ACCOUNT = (
    *("account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn", "account", "account_email"),
    *("account_email_send", "account_change_password", "account_set_password", "mfa_index", "mfa_activate_totp"),
    *("mfa_deactivate_totp", "mfa_list_webauthn", "mfa_add_webauthn", "mfa_remove_webauthn", "mfa_edit_webauthn"),
    *("mfa_view_recovery_codes", "mfa_generate_recovery_codes", "account_unlink", "usersessions_list"),
    *("account_end_others", "account_end_session", "account_delete"),
)

ROWS: dict[str, Row] = {
    # brokle.web
    "preferences-language": open_to_all("POST"),
    "preferences-theme": open_to_all("POST"),
    "palette": open_to_all(),
    "api-schema": open_to_all(),
    "api-docs": open_to_all(),
    "debug-processor": operator("GET"),
    "debug-memory": operator("GET"),
    "debug-memory-recording": operator(post=operators(form={"recording": "stop"}, served=(302,))),
    "debug-queries": operator("GET"),
    "debug-queries-forget": operator(post=operators(form={}, served=(302,))),
    "debug-query-plan": operator(post=operators(served=(404,))),
    "debug-redis": operator("GET"),
    "debug-clickhouse": operator("GET"),
    # apps.users
    "/login": open_to_all(),
    "/signup": open_to_all(),
    **dict.fromkeys(_DOORS, open_to_all("GET", "POST")),
    **dict.fromkeys(("api-signup", "api-login", "api-refresh", "api-password-reset"), open_to_all("POST")),
    **dict.fromkeys(("api-password-reset-confirm", "api-mfa-verify", "api-mfa-verify-options"), open_to_all("POST")),
    **dict.fromkeys(("api-logout", "api-password-change", "api-email"), own("POST")),
    "api-me": own("GET", "PATCH", "DELETE"),
    "api-sessions": own("GET"),
    "api-session": own("DELETE"),
    "api-mfa-totp": own("POST", "PUT", "DELETE"),
    "api-mfa-recovery-codes": own("GET", "POST"),
    "api-mfa-passkeys": own("GET", "POST"),
    "api-mfa-passkey-options": own("POST"),
    "api-mfa-passkey": own("PATCH", "DELETE"),
    **dict.fromkeys(_ACCOUNT, own("GET", "POST")),
    # apps.orgs
    "operator": operator(get=operators(served=(302,))),
    "operator-log": operator("GET"),
    "operator-organizations": operator("GET"),
    "operator-organization": operator(get=operators(), post=operators(form={"plan": "pro"}, served=(302,))),
    "operator-suspend": operator(post=operators(form={"confirm": "noor", "reason": "unpaid"}, served=(302,))),
    "operator-resume": operator(post=operators(form={}, served=(302,))),
    "operator-support": operator(post=operators(form={"reason": "a ticket", "level": "look"}, served=(302,))),
    "operator-support-end": operator(post=operators(form={}, served=(302,))),
    "operator-people": operator("GET"),
    "operator-person": operator("GET"),
    "operator-person-act": operator(post=operators(form={}, served=(302,))),
    "api-operator-organizations": operator("GET"),
    "api-operator-organization": operator(get=operators(), patch=operators({"members_limit": 3})),
    "api-operator-suspend": operator(post=operators({"reason": "unpaid"})),
    "api-operator-resume": operator(post=operators(served=(409,))),
    "api-operator-support": operator(post=operators({"reason": "a ticket"}), delete=operators(served=(404,))),
    "api-operator-people": operator("GET"),
    "api-operator-person": operator("GET"),
    "api-operator-person-lock": operator(post=operators({"reason": "stolen"})),
    "api-operator-person-unlock": operator(post=operators(served=(409,))),
    "api-operator-person-end-sessions": operator(post=operators()),
    "api-operator-person-remove-second-factors": operator(post=operators(served=(409,))),
    "api-operator-person-verify-address": operator(post=operators()),
    "api-operator-person-send-password-reset": operator(post=operators()),
    "api-operator-person-operator": operator(put=operators(), delete=operators(served=(409,))),
    "home": open_to_all(),
    "dashboard": own(),
    "onboarding": own("GET", "POST"),
    "onboarding-key": own(),
    "onboarding-organization": own("GET", "POST"),
    "api-organizations": own("GET"),
    "api-organization": tenant(
        get=Cell(MEMBERS | KEYS),
        patch=Cell(MANAGERS, {"name": "Taken"}),
        delete=Cell(OWNER),
    ),
    "api-organization-restore": tenant(post=Cell(OWNER, served=(409,))),
    "api-organization-transfer": tenant(post=Cell(OWNER, {"user_id": "{target_id}"})),
    "api-audit": tenant(get=Cell(MANAGERS)),
    "api-audit-export": tenant(get=Cell(MANAGERS)),
    "api-members": tenant(get=Cell(PEOPLE)),
    "api-member": tenant(get=Cell(PEOPLE), patch=Cell(MANAGERS, {"role": "developer"}), delete=Cell(MANAGERS)),
    "api-invitations": tenant(get=Cell(PEOPLE), post=Cell(MANAGERS, {"email": "new@idor.example", "role": "viewer"})),
    "api-invitation": tenant(get=Cell(PEOPLE), delete=Cell(MANAGERS)),
    "api-invitation-resend": tenant(post=Cell(MANAGERS)),
    "api-invitation-accept": own("POST"),
    "api-projects": tenant(get=Cell(MEMBERS | KEYS), post=Cell(MANAGERS, {"name": "Third"})),
    "api-project": tenant(get=Cell(READERS | KEYS), patch=Cell(MANAGERS, {"name": "Taken"}), delete=Cell(MANAGERS)),
    "api-project-members": tenant(get=Cell(READERS)),
    "api-project-member": tenant(put=Cell(MANAGERS, {"role": "viewer"}), delete=Cell(MANAGERS)),
    "api-environments": tenant(get=Cell(READERS | KEYS), post=Cell(MANAGERS, {"name": "Staging"})),
    "api-environment": tenant(get=Cell(READERS | KEYS), patch=Cell(MANAGERS, {"name": "Taken"}), delete=Cell(MANAGERS)),
    "device": own("GET", "POST"),
    "api-device": open_to_all("POST"),
    "api-device-token": open_to_all("POST"),
    "api-tokens": own("GET", "POST"),
    "api-token": own("DELETE"),
    "api-keys": tenant(AT_PRODUCTION, get=Cell(READERS | KEY), post=Cell(MAKERS | KEY, NEW_KEY)),
    "api-key": tenant(
        AT_PRODUCTION,
        get=Cell(READERS | KEY),
        patch=Cell(MAKERS | KEY, {"name": "Taken"}),
        delete=Cell(MAKERS | KEY),
    ),
    "api-key-rotate": tenant(AT_PRODUCTION, post=Cell(MAKERS | KEY, {})),
    "invitation": open_to_all("GET", "POST"),
    "organization-closing": own("GET", "POST"),
    "settings-tokens": own("GET", "POST"),
    "settings-token-revoke": own("POST"),
    "settings": tenant(get=Cell(MEMBERS), post=Cell(MANAGERS, form={"name": "Taken"}, served=(302,))),
    "settings-transfer": tenant(post=Cell(OWNER, form={"user_id": "{target_id}"}, served=(302,))),
    "settings-delete": tenant(post=Cell(OWNER, form={"confirm": "Noor"}, served=(302,))),
    "settings-members": tenant(
        get=Cell(PEOPLE), post=Cell(MANAGERS, form={"email": "new@idor.example", "role": "viewer"})
    ),
    "settings-member-role": tenant(post=Cell(MANAGERS, form={"role": "developer"}, served=(302,))),
    "settings-member-remove": tenant(post=Cell(MANAGERS, form={"confirm": "{target_email}"}, served=(302,))),
    "settings-invitation-revoke": tenant(post=Cell(MANAGERS, form={}, served=(302,))),
    "settings-invitation-resend": tenant(post=Cell(MANAGERS, form={}, served=(302,))),
    "settings-projects": tenant(get=Cell(MEMBERS), post=Cell(MANAGERS, form={"name": "Third"}, served=(302,))),
    "settings-project": tenant(get=Cell(MANAGERS), post=Cell(MANAGERS, form={"name": "Taken"}, served=(302,))),
    "settings-project-delete": tenant(post=Cell(MANAGERS, form={"confirm": "default"}, served=(302,))),
    "settings-environment": tenant(
        get=Cell(MANAGERS), post=Cell(MANAGERS, form={"name": "Taken", "color": "ok"}, served=(302,))
    ),
    "settings-environment-delete": tenant(post=Cell(MANAGERS, form={"confirm": "production"}, served=(302,))),
    "settings-keys": tenant(AT_PLACE, get=Cell(READERS), post=Cell(MAKERS, form={"name": "ci", "scopes": ["gateway"]})),
    "settings-key": tenant(
        AT_PLACE,
        get=Cell(MAKERS),
        post=Cell(MAKERS, form={"name": "Taken", "scopes": ["gateway"]}, served=(302,)),
    ),
    "settings-key-rotate": tenant(AT_PLACE, post=Cell(MAKERS, form={})),
    "settings-key-revoke": tenant(AT_PLACE, post=Cell(MAKERS, form={}, served=(302,))),
    "settings-audit": tenant(get=Cell(MANAGERS)),
    "api-event-types": own(),
    "api-webhooks": tenant(get=Cell(MAKERS), post=Cell(MANAGERS, NEW_WEBHOOK)),
    "api-webhook": tenant(get=Cell(MAKERS), patch=Cell(MANAGERS, {"description": "Taken"}), delete=Cell(MANAGERS)),
    "api-webhook-rotate-secret": tenant(post=Cell(MANAGERS)),
    "api-webhook-test": tenant(post=Cell(MANAGERS)),
    "api-webhook-deliveries": tenant(get=Cell(MAKERS)),
    "api-webhook-delivery": tenant(get=Cell(MAKERS)),
    "api-webhook-delivery-replay": tenant(post=Cell(MANAGERS)),
    "webhooks": tenant(get=Cell(MAKERS)),
    "webhook-new": tenant(get=Cell(MANAGERS), post=Cell(MANAGERS, form=NEW_WEBHOOK, served=(302,))),
    "webhook": tenant(get=Cell(MAKERS)),
    "webhook-edit": tenant(get=Cell(MANAGERS), post=Cell(MANAGERS, form=NEW_WEBHOOK, served=(302,))),
    "webhook-test": tenant(post=Cell(MANAGERS, form={}, served=(302,))),
    "webhook-rotate": tenant(post=Cell(MANAGERS, form={}, served=(302,))),
    "webhook-switch": tenant(post=Cell(MANAGERS, form={}, served=(302,))),
    "webhook-delete": tenant(post=Cell(MANAGERS, form={"confirm": "93.184.216.34"}, served=(302,))),
    "webhook-delivery": tenant(get=Cell(MAKERS)),
    "webhook-replay": tenant(post=Cell(MANAGERS, form={}, served=(302,))),
    "api-notifications": own(),
    "api-notifications-read": own("POST"),
    "api-notification-read": own("POST"),
    "api-notification-preferences": own("GET", "PATCH"),
    "notifications": own(),
    "notifications-bell": own(),
    "notifications-read-all": own("POST"),
    "notification": own("GET"),
    "notification-preferences": own("GET", "POST"),
    # apps.routing
    **dict.fromkeys(("api-catalogue-providers", "api-catalogue-models", "api-catalogue-prices"), own()),
    "api-catalogue-model": own(),
    "api-providers": tenant(AT_PRODUCTION, get=Cell(READERS | KEY), post=Cell(MAKERS | KEY, NEW_PROVIDER)),
    "api-provider": tenant(
        AT_PRODUCTION,
        get=Cell(READERS | KEY),
        patch=Cell(MAKERS | KEY, {"is_enabled": False}),
        delete=Cell(MAKERS | KEY),
    ),
    "api-provider-test": tenant(AT_PRODUCTION, post=Cell(MAKERS | KEY, {})),
    "api-credentials": tenant(AT_PRODUCTION, get=Cell(READERS | KEY), post=Cell(MAKERS | KEY, NEW_CREDENTIAL)),
    "api-credential": tenant(
        AT_PRODUCTION,
        get=Cell(READERS | KEY),
        patch=Cell(MAKERS | KEY, {"weight": 5}),
        delete=Cell(MAKERS | KEY),
    ),
    "api-credential-rotate": tenant(AT_PRODUCTION, post=Cell(MAKERS | KEY, {"api_key": "sk-another"})),
    "api-provider-models": tenant(AT_PRODUCTION, get=Cell(READERS | KEY), post=Cell(MAKERS | KEY, {"name": "mine"})),
    "api-provider-model": tenant(
        AT_PRODUCTION,
        get=Cell(READERS | KEY),
        patch=Cell(MAKERS | KEY, {"context": 5}),
        delete=Cell(MAKERS | KEY),
    ),
    "api-routes": tenant(AT_PRODUCTION, get=Cell(READERS | KEY), post=Cell(MAKERS | KEY, NEW_ROUTE)),
    "api-route": tenant(
        AT_PRODUCTION,
        get=Cell(READERS | KEY),
        patch=Cell(MAKERS | KEY, {"retries": 5}),
        delete=Cell(MAKERS | KEY),
    ),
    "api-route-rollback": tenant(AT_PRODUCTION, post=Cell(MAKERS | KEY, {"version": 1})),
    "api-route-explain": tenant(AT_PRODUCTION, post=Cell(READERS | KEY, {"input_tokens": 10})),
    "api-route-versions": tenant(AT_PRODUCTION, get=Cell(READERS | KEY)),
    "api-route-version": tenant(AT_PRODUCTION, get=Cell(READERS | KEY)),
    "api-limits": tenant(AT_PRODUCTION, get=Cell(READERS | KEY), post=Cell(MAKERS, NEW_LIMIT)),
    "api-limit": tenant(AT_PRODUCTION, get=Cell(READERS | KEY), patch=Cell(MAKERS, {"amount": 5}), delete=Cell(MAKERS)),
    "api-gateway-settings": tenant(
        AT_PRODUCTION, get=Cell(READERS | KEY), patch=Cell(MAKERS | KEY, {"allows_own_keys": True})
    ),
    "api-recostings": tenant(AT_PRODUCTION, get=Cell(MAKERS), post=Cell(MAKERS, NEW_RECOSTING)),
    "api-recosting": tenant(AT_PRODUCTION, get=Cell(MAKERS)),
    "overview": tenant(get=Cell(READERS | {"guest"})),
    "requests": tenant(AT_PLACE, get=Cell(READERS)),
    "request": tenant(AT_PLACE, get=Cell(READERS)),
    "models": tenant(AT_PLACE, get=Cell(READERS)),
    "models-compare": tenant(f"{AT_PLACE}&model={{model_id}}", get=Cell(READERS)),
    "limits": tenant(AT_PLACE, get=Cell(READERS)),
    "limit-new": tenant(AT_PLACE, get=Cell(MAKERS), post=Cell(MAKERS, form=LIMIT_FORM, served=(302,))),
    "limit": tenant(
        AT_PLACE, get=Cell(READERS), post=Cell(MAKERS, form={"amount": "5", "window": "minute"}, served=(302,))
    ),
    "limit-remove": tenant(AT_PLACE, post=Cell(MAKERS, form={}, served=(302,))),
    "playground": tenant(f"{AT_PLACE}&model=echo/fast", get=Cell(MAKERS)),
    "playground-pass": tenant(AT_PLACE, post=Cell(MAKERS, form={})),
    "routes": tenant(AT_PLACE, get=Cell(READERS)),
    "route-new": tenant(AT_PLACE, get=Cell(MAKERS), post=Cell(MAKERS, form=ROUTE_FORM, served=(302,))),
    "route": tenant(f"{AT_PLACE}&try=1", get=Cell(READERS), post=Cell(MAKERS, form=ROUTE_FORM, served=(302,))),
    "route-rollback": tenant(AT_PLACE, post=Cell(MAKERS, form={"version": "1"}, served=(302,))),
    "route-remove": tenant(AT_PLACE, post=Cell(MAKERS, form={"confirm": "noors-route"}, served=(302,))),
    "providers": tenant(AT_PLACE, get=Cell(READERS)),
    "own-keys": tenant(AT_PLACE, post=Cell(MAKERS, form={"allows": "yes"}, served=(302,))),
    "provider-new": tenant(f"{AT_PLACE}&kind=groq", get=Cell(MAKERS), post=Cell(MAKERS, form=GROQ, served=(302,))),
    "provider": tenant(AT_PLACE, get=Cell(READERS), post=Cell(MAKERS, form=OWN_PROVIDER, served=(302,))),
    "provider-test": tenant(AT_PLACE, post=Cell(MAKERS, form={})),
    "provider-remove": tenant(AT_PLACE, post=Cell(MAKERS, form={"confirm": "noors-own"}, served=(302,))),
    "credential-add": tenant(AT_PLACE, post=Cell(MAKERS, form=OWN_CREDENTIAL, served=(302,))),
    "credential": tenant(
        AT_PLACE, get=Cell(MAKERS), post=Cell(MAKERS, form={"name": "taken", "weight": "5"}, served=(302,))
    ),
    "credential-remove": tenant(AT_PLACE, post=Cell(MAKERS, form={}, served=(302,))),
    "provider-model-add": tenant(AT_PLACE, post=Cell(MAKERS, form={"model-name": "taken"}, served=(302,))),
    "provider-model": tenant(AT_PLACE, get=Cell(MAKERS), post=Cell(MAKERS, form={"context": "5"}, served=(302,))),
    "provider-model-remove": tenant(AT_PLACE, post=Cell(MAKERS, form={}, served=(302,))),
}
