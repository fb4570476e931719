"""The web and edge processes: N workers on one port."""

import argparse
import logging
import socket
import sys

import setproctitle

from brokle.edge.listener.parent import BACKLOG, Parent
from brokle.edge.watch import configure_logs
from brokle.settings.env import env

log = logging.getLogger("brokle.edge")


def listen(host: str, port: int) -> socket.socket:
    if ":" not in host:
        return socket.create_server((host, port), backlog=BACKLOG)
    takes_both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=takes_both)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--application", default="brokle.asgi:application")
    arguments = parser.parse_args()
    configure_logs(env)
    setproctitle.setproctitle("brokle web")
    try:
        listening = listen(arguments.host, arguments.port)
    except OSError as error:
        log.critical("unable to listen", extra={"address": f"{arguments.host}:{arguments.port}", "reason": str(error)})
        sys.exit(1)
    drain_s = env.integer("BROKLE_DRAIN_SECONDS")
    sys.exit(Parent(arguments.application, listening, arguments.workers, drain_s).run())


if __name__ == "__main__":
    main()
