"""Is the engine there? For /health only; never on the way of a request."""

import asyncio
from urllib.parse import urlsplit

from brokle.edge.health import Probe


def postgres_probe(url: str) -> Probe:
    async def probe() -> None:
        import psycopg

        async with await psycopg.AsyncConnection.connect(url, connect_timeout=2) as connection:
            await connection.execute("SELECT 1")

    return probe


def clickhouse_probe(url: str) -> Probe:
    """ClickHouse's own `/ping`, which needs no login."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host, port = parts.hostname or "127.0.0.1", parts.port or (8443 if tls else 8123)

    async def probe() -> None:
        reader, writer = await asyncio.open_connection(host, port, ssl=tls or None)
        try:
            writer.write(f"GET /ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            status_line = await reader.readline()
            if b" 200 " not in status_line:
                raise ConnectionError(status_line.decode(errors="replace").strip())
        finally:
            writer.close()

    return probe
