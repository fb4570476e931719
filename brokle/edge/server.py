"""The web and edge processes: Granian with N workers on one port."""

import argparse

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from brokle.edge.watch import told_log_file
from brokle.kernel import log as logs
from brokle.settings.env import env


def serve(host: str, port: int, workers: int) -> None:
    Granian(
        "brokle.asgi:application",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=30_000),
        websockets=True,
        backlog=2048,
        backpressure=4096,
        log_access=False,
        log_level=LogLevels.warning,
        log_dictconfig=logs.server_config(
            env.text("BROKLE_LOG_LEVEL"), env.text("BROKLE_LOG_FORMAT"), file=told_log_file(env)
        ),
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=env.integer("BROKLE_DRAIN_SECONDS"),
        process_name="brokle",
    ).serve()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    arguments = parser.parse_args()
    serve(arguments.host, arguments.port, arguments.workers)


if __name__ == "__main__":
    main()
