from django.apps import AppConfig
from django.utils.translation import gettext_noop


class OrgsConfig(AppConfig):
    name = "apps.orgs"
    label = "orgs"
    verbose_name = "Organizations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.orgs.events import declare_events
        from apps.orgs.permissions import declare_permissions
        from apps.orgs.selectors.ownership import find_obstacle_to_leaving
        from apps.orgs.services.first_start import apply_first_start
        from apps.orgs.services.members import hold_owned
        from apps.orgs.services.seeding import PROFILES, seed_organization
        from apps.orgs.services.tokens import find_bearer, is_token
        from apps.orgs.snapshot import compile_key, compile_keys
        from brokle.kernel.extensions import (
            AccountDeletionCheck,
            PersonCredential,
            Seed,
            SnapshotPart,
            StartStep,
            account_deletion_checks,
            api_principal,
            person_credentials,
            seeds,
            snapshot_parts,
            start_steps,
        )

        self._open_settings()
        self._tell_others()
        self._serve_operators()
        self._read_files()

        declare_permissions()
        declare_events()
        person_credentials.register("tokens", PersonCredential("personal token", is_token, find_bearer))
        snapshot_parts.register("key", SnapshotPart("key", compile_key, compile_keys))
        api_principal.register("orgs", compile_key)
        start_steps.register("orgs.first_start", StartStep("orgs.first_start", apply_first_start))
        account_deletion_checks.register(
            "orgs", AccountDeletionCheck("last owner", find_obstacle_to_leaving, hold_owned)
        )
        seeds.register("orgs", Seed(PROFILES, seed_organization))

    def _open_settings(self) -> None:
        from brokle.kernel.extensions import SettingsTab, settings_tabs, user_settings_tabs

        tabs = (
            SettingsTab("general", gettext_noop("General"), "settings"),
            SettingsTab("members", gettext_noop("Members"), "settings-members", "members.read"),
            SettingsTab("projects", gettext_noop("Projects"), "settings-projects"),
            SettingsTab("keys", gettext_noop("API keys"), "settings-keys", "keys.read"),
            SettingsTab("audit", gettext_noop("Audit log"), "settings-audit", "audit.read"),
        )
        for order, tab in enumerate(tabs, start=1):
            settings_tabs.register(tab.key, tab, order=900 if tab.key == "audit" else order * 10)
        tokens_tab = SettingsTab("tokens", gettext_noop("Personal tokens"), "settings-tokens")
        user_settings_tabs.register("tokens", tokens_tab, order=60)
        told_tab = SettingsTab("notifications", gettext_noop("Notifications"), "notification-preferences")
        user_settings_tabs.register("notifications", told_tab, order=70)

    def _read_files(self) -> None:
        from apps.orgs.services.configuration import KeyEntry, apply_keys
        from brokle.kernel.extensions import ConfigSection, config_sections

        config_sections.register("keys", ConfigSection("keys", list[KeyEntry], apply_keys), order=30)

    def _serve_operators(self) -> None:
        from apps.orgs.views.operator_support import find_notices
        from brokle.kernel.extensions import Command, NoticeSource, commands, notices

        notices.register("support", NoticeSource("support", find_notices))
        for key, title, icon in (
            ("operator-organizations", gettext_noop("Installation: organizations"), "building-2"),
            ("operator-people", gettext_noop("Installation: people"), "users"),
            ("operator-log", gettext_noop("Installation: log"), "shield-check"),
            ("debug-processor", gettext_noop("Debug"), "gauge"),
        ):
            commands.register(key, Command(key, title, key, icon, is_for_operators=True), order=900)

    def _tell_others(self) -> None:
        """Webhooks and notifications hang on the events that every room announces; the shell asks where one is."""
        from apps.orgs.selectors.access import home_workspace as find_home
        from apps.orgs.selectors.notifications import count_unread
        from apps.orgs.services.courier import courier_step
        from apps.orgs.services.deliveries import CHANNEL, deliver_event
        from apps.orgs.services.notifications import notify_event
        from brokle.ground.services import EVENTS_TOPIC
        from brokle.kernel.extensions import (
            LiveRoom,
            OutboxHandler,
            PeriodicTask,
            SettingsTab,
            WorkerLoop,
            home_workspace,
            live_rooms,
            outbox_handlers,
            periodic_tasks,
            settings_tabs,
            unread_notifications,
            worker_loops,
        )

        async def is_own(user: object, user_id: str) -> bool:
            return bool(user_id) and str(getattr(user, "pk", "")) == user_id

        outbox_handlers.register("orgs.webhooks", OutboxHandler(EVENTS_TOPIC, deliver_event))
        outbox_handlers.register("orgs.notifications", OutboxHandler(EVENTS_TOPIC, notify_event))
        worker_loops.register("webhooks", WorkerLoop("webhooks", courier_step, CHANNEL))
        live_rooms.register("notifications", LiveRoom("notifications", is_own))
        unread_notifications.register("orgs", count_unread)
        home_workspace.register("orgs", find_home)
        settings_tabs.register(
            "webhooks", SettingsTab("webhooks", gettext_noop("Webhooks"), "webhooks", "webhooks.read"), order=60
        )
        for name, every_s in (("orgs.purge", 3600), ("orgs.note_key_use", 30), ("orgs.note_ended_support", 60)):
            periodic_tasks.register(name, PeriodicTask(name, name, every_seconds=every_s, queue="low"))
        periodic_tasks.register(
            "orgs.forget_old", PeriodicTask("orgs.forget_old", "orgs.forget_old", every_seconds=3600, queue="low")
        )
