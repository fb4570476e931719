import os
import sys
from typing import Annotated, Literal

import typer

from brokle.edge.watch import configure_logs
from brokle.settings.env import env

Role = Literal["all", "edge", "web", "worker", "executor"]
_MAX_WORKERS = 4


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = env.text("BROKLE_HOST"),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = env.integer("BROKLE_PORT"),
    workers: Annotated[int, typer.Option(help="Web processes; 0 means one per core, at most 4.")] = env.integer(
        "BROKLE_WORKERS"
    ),
    data_dir: Annotated[str, typer.Option(help="Where everything is kept.")] = env.text("BROKLE_DATA_DIR"),
    role: Annotated[Role, typer.Option(help="What to run here.")] = "all",
    dev: Annotated[bool, typer.Option("--dev", help="Reload, debug pages, component gallery, private egress.")] = False,
) -> None:
    """Run Brokle: embedded engines where none are given, migrations, then the roles."""
    from brokle.cli.supervisor import ServeOptions, Supervisor, UnableToServe
    from brokle.engines.layout import Layout, UnableToUseDataDir
    from brokle.engines.process import UnableToStart

    configure_logs(env)
    options = ServeOptions(host, port, workers or min(_MAX_WORKERS, os.cpu_count() or 1), role, dev)
    try:
        code = Supervisor(Layout.at(data_dir), env, options).run()
    except (UnableToServe, UnableToStart, UnableToUseDataDir) as error:
        print(f"brokle: {error}", file=sys.stderr)
        code = 1
    raise typer.Exit(code)
