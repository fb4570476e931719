from django.urls import path, re_path
from django.views.generic import RedirectView

from apps.users.endpoints.account import AccountEndpoints
from apps.users.endpoints.doors import DoorEndpoints
from apps.users.endpoints.factors import FactorEndpoints
from apps.users.views import entrance, factors, passwords, settings, social

_SECURITY = "settings/security"
_RESET = r"^auth/password/reset/(?P<uidb36>[0-9A-Za-z_]+)-(?P<key>.+)$"

_AUTH = "api/v1/auth"

urlpatterns = [
    path(f"{_AUTH}/signup", DoorEndpoints.as_view({"post": "sign_up"}), name="api-signup"),
    path(f"{_AUTH}/login", DoorEndpoints.as_view({"post": "sign_in"}), name="api-login"),
    path(f"{_AUTH}/refresh", DoorEndpoints.as_view({"post": "refresh"}), name="api-refresh"),
    path(f"{_AUTH}/logout", AccountEndpoints.as_view({"post": "sign_out"}), name="api-logout"),
    path(
        f"{_AUTH}/me",
        AccountEndpoints.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="api-me",
    ),
    path(f"{_AUTH}/email", AccountEndpoints.as_view({"post": "change_address"}), name="api-email"),
    path(f"{_AUTH}/sessions", AccountEndpoints.as_view({"get": "list_sessions"}), name="api-sessions"),
    path(
        f"{_AUTH}/sessions/<int:session_id>",
        AccountEndpoints.as_view({"delete": "end_session"}),
        name="api-session",
    ),
    path(f"{_AUTH}/password/reset", DoorEndpoints.as_view({"post": "reset"}), name="api-password-reset"),
    path(
        f"{_AUTH}/password/reset/confirm",
        DoorEndpoints.as_view({"post": "confirm_reset"}),
        name="api-password-reset-confirm",
    ),
    path(f"{_AUTH}/password/change", AccountEndpoints.as_view({"post": "change_password"}), name="api-password-change"),
    path(f"{_AUTH}/mfa/verify", DoorEndpoints.as_view({"post": "verify"}), name="api-mfa-verify"),
    path(
        f"{_AUTH}/mfa/verify/options", DoorEndpoints.as_view({"post": "verify_options"}), name="api-mfa-verify-options"
    ),
    path(
        f"{_AUTH}/mfa/totp",
        FactorEndpoints.as_view({"post": "begin_codes", "put": "activate_codes", "delete": "remove_codes"}),
        name="api-mfa-totp",
    ),
    path(
        f"{_AUTH}/mfa/recovery-codes",
        FactorEndpoints.as_view({"get": "count_recovery_codes", "post": "renew_recovery_codes"}),
        name="api-mfa-recovery-codes",
    ),
    path(
        f"{_AUTH}/mfa/passkeys",
        FactorEndpoints.as_view({"get": "list_passkeys", "post": "add_passkey"}),
        name="api-mfa-passkeys",
    ),
    path(
        f"{_AUTH}/mfa/passkeys/options",
        FactorEndpoints.as_view({"post": "begin_passkey"}),
        name="api-mfa-passkey-options",
    ),
    path(
        f"{_AUTH}/mfa/passkeys/<int:pk>",
        FactorEndpoints.as_view({"patch": "rename_passkey", "delete": "remove_passkey"}),
        name="api-mfa-passkey",
    ),
    path("login", RedirectView.as_view(url="/auth/login", query_string=True)),
    path("signup", RedirectView.as_view(url="/auth/signup", query_string=True)),
    path("auth/login", entrance.sign_in, name="account_login"),
    path("auth/login/passkey", factors.sign_in_by_passkey, name="mfa_login_webauthn"),
    path("auth/login/code", factors.authenticate, name="mfa_authenticate"),
    path("auth/logout", entrance.sign_out, name="account_logout"),
    path("auth/signup", entrance.sign_up, name="account_signup"),
    path("auth/verify", entrance.mail_sent, name="account_email_verification_sent"),
    re_path(r"^auth/verify/(?P<key>[-:\w]+)$", entrance.confirm_address, name="account_confirm_email"),
    path("auth/password/reset", passwords.reset, name="account_reset_password"),
    path("auth/password/reset/sent", passwords.reset_sent, name="account_reset_password_done"),
    path("auth/password/reset/done", passwords.reset_done, name="account_reset_password_from_key_done"),
    re_path(_RESET, passwords.reset_from_link, name="account_reset_password_from_key"),
    path("auth/reauthenticate", passwords.again, name="account_reauthenticate"),
    path("auth/reauthenticate/code", factors.code_again, name="mfa_reauthenticate"),
    path("auth/reauthenticate/passkey", factors.passkey_again, name="mfa_reauthenticate_webauthn"),
    path("auth/github/login", social.github_start, name="github_login"),
    path("auth/github/login/callback", social.github_return, name="github_callback"),
    path("auth/google/login", social.google_start, name="google_login"),
    path("auth/google/login/callback", social.google_return, name="google_callback"),
    path("auth/social/signup", social.elsewhere, name="socialaccount_signup"),
    path("auth/social/error", social.elsewhere, name="socialaccount_login_error"),
    path("auth/social/cancelled", social.elsewhere, name="socialaccount_login_cancelled"),
    path("auth/social/linked", social.elsewhere, name="socialaccount_connections"),
    path("settings", settings.profile, name="account"),
    path("settings/email", settings.address, name="account_email"),
    path("settings/email/send", settings.send_verification, name="account_email_send"),
    path("settings/email/confirm/<str:token>", settings.confirm_address, name="account_email_confirm"),
    path(f"{_SECURITY}/password", passwords.change, name="account_change_password"),
    path(f"{_SECURITY}/password/set", passwords.set_first, name="account_set_password"),
    path(_SECURITY, factors.security, name="mfa_index"),
    path(f"{_SECURITY}/codes", factors.activate_codes, name="mfa_activate_totp"),
    path(f"{_SECURITY}/codes/remove", factors.remove_codes, name="mfa_deactivate_totp"),
    path(f"{_SECURITY}/passkeys", factors.passkeys, name="mfa_list_webauthn"),
    path(f"{_SECURITY}/passkeys/add", factors.add_passkey, name="mfa_add_webauthn"),
    path(f"{_SECURITY}/passkeys/<int:pk>/remove", factors.remove_passkey, name="mfa_remove_webauthn"),
    path(f"{_SECURITY}/passkeys/<int:pk>/rename", factors.rename_passkey, name="mfa_edit_webauthn"),
    path(f"{_SECURITY}/recovery-codes", factors.show_recovery_codes, name="mfa_view_recovery_codes"),
    path(f"{_SECURITY}/recovery-codes/renew", factors.renew_recovery_codes, name="mfa_generate_recovery_codes"),
    path(f"{_SECURITY}/linked/<int:account_id>/remove", social.disconnect, name="account_unlink"),
    path("settings/sessions", settings.list_sessions, name="usersessions_list"),
    path("settings/sessions/others", settings.revoke_other_sessions, name="account_end_others"),
    path("settings/sessions/<int:session_id>", settings.revoke_session, name="account_end_session"),
    path("settings/delete", settings.delete, name="account_delete"),
]
