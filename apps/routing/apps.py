from django.apps import AppConfig
from django.utils.translation import gettext_noop


class RoutingConfig(AppConfig):
    name = "apps.routing"
    label = "routing"
    verbose_name = "Routing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.routing.events import declare_events
        from apps.routing.permissions import declare_permissions

        declare_permissions()
        declare_events()
        self._feed_the_edge()
        self._read_files()
        self._show()
        self._keep_and_forget()

    def _feed_the_edge(self) -> None:
        from apps.routing.edge import catalogue
        from apps.routing.edge.book import KIND
        from apps.routing.snapshot import compile_book, compile_books, compile_catalogue, compile_catalogues
        from apps.routing.tasks import recounting_step
        from brokle.kernel.extensions import (
            PeriodicTask,
            SnapshotPart,
            WorkerLoop,
            periodic_tasks,
            snapshot_parts,
            worker_loops,
        )

        snapshot_parts.register(KIND, SnapshotPart(KIND, compile_book, compile_books))
        shelves = SnapshotPart(catalogue.KIND, compile_catalogue, compile_catalogues)
        snapshot_parts.register(catalogue.KIND, shelves)
        refresh = PeriodicTask("routing.refresh_catalogue", "routing.refresh_catalogue", every_seconds=600, queue="low")
        watch = PeriodicTask("routing.tell_thresholds", "routing.tell_thresholds", every_seconds=60, queue="low")
        for task in (refresh, watch):
            periodic_tasks.register(task.name, task)
        worker_loops.register("budgets", WorkerLoop("budgets", recounting_step))

    def _read_files(self) -> None:
        from apps.routing.services.configuration import ProviderEntry, apply_providers, apply_routes
        from apps.routing.services.definitions import RouteEntry
        from apps.routing.services.first_start import pick_up_keys
        from apps.routing.services.limits import LimitEntry, apply_limits
        from brokle.kernel.extensions import ConfigSection, StartStep, config_sections, start_steps

        providers = ConfigSection("providers", list[ProviderEntry], apply_providers)
        config_sections.register("providers", providers, order=10)
        config_sections.register("routes", ConfigSection("routes", list[RouteEntry], apply_routes), order=20)
        config_sections.register("limits", ConfigSection("limits", list[LimitEntry], apply_limits), order=25)
        start_steps.register("routing.first_start", StartStep("routing.first_start", pick_up_keys), order=200)

    def _show(self) -> None:
        from apps.orgs import facade as orgs
        from apps.routing.selectors.requests import find_first_request
        from brokle.kernel.extensions import LiveRoom, first_request, live_rooms

        async def may_join(user: object, environment_id: str) -> bool:
            return await orgs.may_watch_environment(str(getattr(user, "pk", "")), environment_id, "requests.read")

        live_rooms.register("requests", LiveRoom("requests", may_join))
        first_request.register("routing", find_first_request)
        self._show_pages()

    def _show_pages(self) -> None:
        from brokle.kernel.extensions import NavigationItem, navigation

        pages = (
            NavigationItem("requests", gettext_noop("Requests"), "requests", "terminal", parent="route"),
            NavigationItem("providers", gettext_noop("Providers"), "providers", "globe", parent="route"),
            NavigationItem("models", gettext_noop("Models"), "models", "box", parent="route"),
            NavigationItem("routes", gettext_noop("Routes"), "routes", "git-branch", parent="route"),
            NavigationItem("limits", gettext_noop("Limits"), "limits", "gauge", parent="route"),
            NavigationItem("playground", gettext_noop("Playground"), "playground", "messages-square", parent="route"),
        )
        for order, page in enumerate(pages, start=1):
            navigation.register(page.key, page, order=order * 10)

    def _keep_and_forget(self) -> None:
        from brokle.engines.analytics import forget_organization
        from brokle.kernel.extensions import OrganizationPurge, Seed, organization_purges, seeds

        def forget(organization_id: str) -> None:
            for table in ("request_logs", "ai_routing_metrics"):
                forget_organization(table, organization_id)

        def seed(profile: str) -> list[str]:
            from apps.routing.services.seeding import seed_routing  # brings price lists that no server needs

            return seed_routing(profile)

        organization_purges.register("routing", OrganizationPurge("routing", forget))
        seeds.register("routing", Seed(frozenset({"dev", "demo"}), seed), order=200)
