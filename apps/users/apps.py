from django.apps import AppConfig
from django.utils.translation import gettext_noop


class UsersConfig(AppConfig):
    name = "apps.users"
    label = "users"
    verbose_name = "Users"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.users.services import api_sessions
        from apps.users.services.happenings import listen
        from apps.users.services.operating import find_obstacle_to_going, hold_operators
        from apps.users.services.social import is_configured
        from brokle.kernel.extensions import (
            AccountDeletionCheck,
            LoginMethod,
            PersonCredential,
            SettingsTab,
            account_deletion_checks,
            login_methods,
            person_credentials,
            user_settings_tabs,
        )

        listen()
        person_credentials.register(
            "access", PersonCredential("access token", api_sessions.is_access_token, api_sessions.find_bearer)
        )
        account_deletion_checks.register(
            "users", AccountDeletionCheck("last operator", find_obstacle_to_going, hold_operators)
        )
        tabs = (
            SettingsTab("profile", gettext_noop("Profile"), "account"),
            SettingsTab("email", gettext_noop("E-mail"), "account_email"),
            SettingsTab("security", gettext_noop("Security"), "mfa_index"),
            SettingsTab("sessions", gettext_noop("Sessions"), "usersessions_list"),
            SettingsTab("delete", gettext_noop("Delete account"), "account_delete"),
        )
        for order, tab in enumerate(tabs, start=1):
            # Other rooms' tabs come between the sessions and the end.
            user_settings_tabs.register(tab.key, tab, order=900 if tab.key == "delete" else order * 10)
        buttons = (
            ("github", gettext_noop("Continue with GitHub"), "git-branch"),
            ("google", gettext_noop("Continue with Google"), "globe"),
        )
        for provider, title, icon in buttons:
            if is_configured(provider):
                login_methods.register(provider, LoginMethod(title, f"/auth/{provider}/login", icon), order=50)
