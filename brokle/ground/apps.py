from django.apps import AppConfig


class GroundConfig(AppConfig):
    name = "brokle.ground"
    label = "ground"
    verbose_name = "Ground"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from brokle.ground.configuration import apply_configuration, watch_step
        from brokle.ground.purge import purge
        from brokle.kernel.extensions import (
            OrganizationPurge,
            PeriodicTask,
            StartStep,
            WorkerLoop,
            organization_purges,
            periodic_tasks,
            start_steps,
            worker_loops,
        )

        # After the first start of every room, for it works in the organization that one makes.
        start_steps.register("configuration", StartStep("configuration", apply_configuration), order=500)
        worker_loops.register("configuration", WorkerLoop("configuration", watch_step))

        # Last, for its audit entries tell of the organization until then.
        organization_purges.register("ground", OrganizationPurge("ground", purge), order=900)
        periodic_tasks.register(
            "ground.forget_expired",
            PeriodicTask("ground.forget_expired", "ground.forget_expired", every_seconds=3600, queue="low"),
        )
