"""The embedded ClickHouse: python -m brokle.engines.clickhouse --path DIR --password-file FILE --port-file FILE."""

import argparse
import logging
import os
import sys
from pathlib import Path

from brokle.engines.clickhouse.configuration import Limits
from brokle.engines.clickhouse.engine import UnableToOpenEngine
from brokle.engines.clickhouse.process import Options, serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="brokle-clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="folder of the data and its lock")
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="where the port is written once queries are answered")
    parser.add_argument(
        "--password-file", type=Path, required=True, help="the password of user brokle; made when missing"
    )
    parser.add_argument("--memory-limit-mb", type=int, default=1024, help="what all queries together may use")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when stdin ends, with whoever holds it")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="clickhouse: %(message)s")
    options = Options(
        path=asked.path.absolute(),
        password_file=asked.password_file.absolute(),
        port_file=asked.port_file.absolute() if asked.port_file else None,
        port=asked.port,
        exit_with_stdin=asked.exit_with_stdin,
        limits=Limits(memory_mb=asked.memory_limit_mb, threads=max(2, min(8, os.cpu_count() or 2))),
    )
    try:
        serve(options)
    except (UnableToOpenEngine, OSError) as error:
        sys.stderr.write(f"clickhouse: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
